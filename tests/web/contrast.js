// Every text that can hardly be read: WCAG 2.2, 1.4.3, level AA, for Page.evaluate.
() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
        const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = (each) => {
        for (let at = each; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return rgba("white");
    };
    const wrong = [];
    let checked = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const each = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !each.checkVisibility({ opacityProperty: true })) continue;
        if (each.closest(".unseen, noscript, :disabled, .skip, .off, option")) continue;
        const style = getComputedStyle(each);
        const drawn = each.namespaceURI.endsWith("svg") ? style.fill : style.color;
        const [one, other] = [light(rgba(drawn)), light(behind(each))].sort((a, b) => b - a);
        const ratio = (one + 0.05) / (other + 0.05);
        checked += 1;
        if (ratio < 4.5) wrong.push(`${ratio.toFixed(2)} ${drawn} ${each.className} ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
    return { wrong: [...new Set(wrong)], checked };
}
