"""A line for each case; what did not hold is a finding."""

from __future__ import annotations


class Report:
    def __init__(self) -> None:
        self.cases = 0
        self.findings: list[str] = []

    def case(self, name: str, held: object, saw: object = "") -> None:
        """``held``: did it hold? ``saw``: what was seen, for a finding."""
        self.cases += 1
        if held:
            print(f"held     {name}", flush=True)
        else:
            self.findings.append(name)
            print(f"FINDING  {name}: {saw!r:.300}", flush=True)

    def end(self) -> int:
        """The exit status."""
        print(f"{self.cases} cases, {len(self.findings)} findings", flush=True)
        return 1 if self.findings else 0
