"""SUBMIT and what its answer means (sheet `cmpp`, section 4)."""

from collections.abc import Mapping, Sequence

from channels.cmpp.codec import SubmitForm, id_of, read_submit_answer
from channels.cmpp.codes import BAD_NUMBER
from channels.errors import Fault
from channels.lines.dispatch import Answer
from channels.lines.line import Frame
from channels.lines.texts import Part


class Submits:
    """Writes SUBMITs of one account and weighs their answers by `meanings`."""

    def __init__(self, form: SubmitForm, meanings: Mapping[int, Fault]) -> None:
        self._form, self._meanings = form, meanings

    def write(self, sequence: int, part: Part, numbers: Sequence[bytes]) -> bytes:
        """See Carrier."""
        return self._form.write(sequence, part, numbers)

    def read(self, frame: Frame, count: int) -> Answer:
        """See Carrier: the answer's Msg_Id is that of the first number, the others count on."""
        msg_id, result = read_submit_answer(frame.body)
        if result == 0:
            return Answer(tuple(str(id_of(msg_id, place)) for place in range(count)))
        return Answer((), self._meanings.get(result), str(result), result == BAD_NUMBER)
