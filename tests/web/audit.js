// What a screen reader would miss, for Page.evaluate.
() => {
    const wrong = [];
    const seen = (each) => each.checkVisibility({ visibilityProperty: true });
    const text = (id) => document.getElementById(id)?.textContent ?? "";
    const name = (each) => (each.getAttribute("aria-label")
        || (each.getAttribute("aria-labelledby") ?? "").split(" ").map(text).join(" ")
        || [...(each.labels ?? [])].map((label) => label.textContent).join(" ")
        || each.textContent || each.getAttribute("title") || "").trim();
    const say = (each, why) => wrong.push(`${why}: ${each.outerHTML.slice(0, 120)}`);
    for (const each of document.querySelectorAll("a, button, input, select, textarea, summary, [role=meter],"
        + " [role=progressbar], [role=img], [role=region], dialog, section, nav, article"))
        if (seen(each) && !name(each)) say(each, "has no name");
    const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two are called ${id}`);
    for (const attribute of ["aria-labelledby", "aria-describedby", "for"])
        for (const each of document.querySelectorAll(`[${attribute}]`))
            for (const id of each.getAttribute(attribute).split(" "))
                if (!document.getElementById(id)) say(each, `${attribute} leads nowhere`);
    for (const each of document.querySelectorAll("[tabindex]"))
        if (each.tabIndex > 0) say(each, "stands out of line");
    for (const landmark of ["main", "header", "nav"])
        if (!document.querySelector(landmark)) wrong.push(`no ${landmark}`);
    if ([...document.querySelectorAll("h1")].filter(seen).length !== 1) wrong.push("not one h1");
    if (document.documentElement.lang !== "en") wrong.push("no language");
    if (document.querySelector("[style]:not([style*=':'])")) wrong.push("style in the markup");
    return wrong;
}
