"""What is done when something fails: told of what tries again or ends something, not of what only logs."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.failures import failures

Source = Callable[[str], PythonSource]


def told(source: PythonSource) -> list[str]:
    return [claim.value for claim in failures(source)]


def test_what_is_tried_again(source: Source) -> None:
    text = """
        def post(url, tries=3):
            for _ in range(tries):
                try:
                    log.info("asking")
                    return ask(url)
                except Gone:
                    log.info("gone")
                except Slow:
                    pass
                time.sleep(1)
            raise Gone()

        def once(urls):
            for url in urls:
                try:
                    return ask(url)
                except Gone:
                    raise
    """
    assert told(source(text)) == [
        "post tries again up to tries times on Gone or Slow: ask(url); between the tries it waits (time.sleep(1))"
    ]


def test_what_ends_and_what_answers_for_memory(source: Source) -> None:
    text = """
        class Guard:
            def run(self, call):
                try:
                    return call()
                except Exception as err:
                    if isinstance(err, Broken):
                        self.shutdown_callback()

            def warm(self, batch):
                try:
                    self.step(batch)
                except torch.cuda.OutOfMemoryError as err:
                    raise Full("too large") from err

            def quiet(self):
                try:
                    self.step()
                except torch.cuda.OutOfMemoryError:
                    logger.exception("no room")

        def main(parser):
            try:
                read()
            except ValueError:
                parser.exit(2)
    """
    assert told(source(text)) == [
        "Guard.run: on Exception it calls self.shutdown_callback() if isinstance(err, Broken)",
        'Guard.warm: when memory runs out (torch.cuda.OutOfMemoryError): raise Full("too large") from err',
    ]


def test_a_loop_that_serves_for_ever_is_no_retry_though_one_inside_is_left(source: Source) -> None:
    text = """
    def serve(self):
        while True:
            try:
                letter = self.box.get()
                while self.more():
                    if letter.last:
                        break
                self.handle(letter)
            except Exception as error:
                note(error)
    """
    assert not told(source(text))
    assert told(source(text.replace("self.handle(letter)", "break")))
