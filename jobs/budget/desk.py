"""Where workers have money set aside: the till of the job, over their channels."""

from __future__ import annotations

from ..workers.messages import Aside, FromWorker, Hopeless, Learned, SetAside, Spender, Spent
from ..workers.process import Hand
from .excess import Excess
from .ledger import Amount
from .till import Hold, Till


class BudgetDesk:
    """Keeps what each worker has of the till, by its own tickets.

    First come, first served as their messages come in. What one learns of a lane all are told.
    """

    TAKES = (Spender, SetAside, Spent, Learned, Hopeless)

    def __init__(self, till: Till) -> None:
        self._till = till
        self._holds: dict[Hand, dict[int, Hold]] = {}
        self._excess: dict[str, Excess] = {}

    def take(self, hand: Hand, message: FromWorker) -> None:
        """A worker asks, or says how an attempt ended."""
        match message:
            case Spender():
                self._holds[hand] = {}
                for lane, excess in self._excess.items():
                    hand.channel.send(Learned(lane, excess.input, excess.output, excess.markup))
            case SetAside():
                self._set_aside(hand, message)
            case Spent():
                hold = self._holds[hand].pop(message.ticket, None)
                if hold is not None:
                    _settle(hold, message)
            case Learned():
                self._learned(hand, message)
            case Hopeless():
                answer = self._till.is_hopeless(message.lane)
                hand.channel.send(Aside(message.ticket, hopeless=answer))

    def _set_aside(self, hand: Hand, message: SetAside) -> None:
        hold = self._till.ask(Amount(int(message.money), message.tokens))
        self._holds[hand][message.ticket] = hold

        def grant(_: object = None) -> None:
            hold.sent = True  # nobody hears of it where the worker dies
            hand.channel.send(Aside(message.ticket))

        if hold.turn is None:
            grant()
        else:
            hold.turn.add_done_callback(grant)
            self._till.look()

    def _learned(self, hand: Hand, message: Learned) -> None:
        lane, excess = message.lane, Excess(message.input, message.output, message.markup)
        self._till.learned(lane, excess)
        known = self._excess.get(lane)
        self._excess[lane] = excess if known is None else known.widest(excess)
        if self._excess[lane] != known:
            for other in self._holds:
                if other is not hand:
                    other.channel.send(message)

    def came(self, hand: Hand) -> None:
        """There is another worker."""

    def left(self, hand: Hand) -> None:
        """What the worker had and did not settle may be billed: it counts at its worst."""
        holds = self._holds.pop(hand, {}).values()
        for hold in sorted(holds, key=lambda hold: hold.sent):  # who only waited ends no job
            hold.cut()

    def __repr__(self) -> str:
        return f"<BudgetDesk of {len(self._holds)} workers, {self._till!r}>"


def _settle(hold: Hold, message: Spent) -> None:
    if message.how == "known":
        hold.settle(Amount(int(message.money), message.tokens))
    elif message.how == "uncertain":
        hold.doubt()
    else:
        hold.give_back()
