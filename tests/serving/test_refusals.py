"""Which requests are answered with an error: by the number of the answer, or by a test of what was asked."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import read_python
from kernelscope.serving.refusals import refusals

Source = Callable[[str], PythonSource]


def told(source: PythonSource) -> list[str]:
    return [claim.value for claim in refusals(source)]


def test_answers_with_a_number_are_refusals(source: Source) -> None:
    text = """
        def check(letter, desk):
            if letter.pages > desk.most:
                raise HTTPException(413, "too long")
            if not letter.stamp:
                return None, JSONResponse({"why": "no stamp"}, status_code=status.HTTP_402_PAYMENT_REQUIRED)
            if desk.closed:
                return create_error_response("closed")
            return JSONResponse({}, status_code=200)
    """
    assert told(source(text)) == [
        'check answers with an error if letter.pages > desk.most: HTTPException(413, "too long"); '
        'if not letter.stamp: JSONResponse({"why": "no stamp"}, status_code=status.HTTP_402_PAYMENT_REQUIRED); '
        'if desk.closed: create_error_response("closed")'
    ]


def test_errors_without_a_number_are_refusals_of_requests_only(source: Source) -> None:
    text = """
        def admit(self, request):
            if request.pages > self.most:
                raise ValueError("too long")
            if request.pages == self.last:
                raise StopDesk()

        def measure(self, width):
            if width > self.most:
                raise ValueError("too wide")

        def hand_on(self, prompt):
            if prompt.error is not None:
                raise ValueError(prompt.error)

        def embed(self, prompt):
            if prompt.prompt_embeds is None:
                raise ValueError("no embeddings")
    """
    assert told(source(text)) == ['admit answers with an error if request.pages > self.most: ValueError("too long")']


def test_what_always_fails_or_only_tells_of_an_error_refuses_nothing(source: Source) -> None:
    text = """
        def never(request):
            raise HTTPException(404, "gone")

        def classify(line):
            if line.startswith("late"):
                return LateError(line)
    """
    assert told(source(text)) == []


def test_functions_that_refuse_stand_in_the_life_of_requests(source: Source) -> None:
    text = """
        def weigh_letter(letter):
            pages = letter.pages
            if pages > 4:
                raise HTTPException(status_code=413)
            return pages
    """
    (found,) = (p for p in read_python(source(text)).procedures if p.section != "components")
    assert "serving.lifecycle" in (found.section, *found.also)
