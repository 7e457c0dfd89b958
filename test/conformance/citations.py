"""Who cites which requirement.

The convention. A requirement's id (MUST-58, SHLD-7, 5961-1, 1122-IP3: a row of requirements.tsv) stands, in full, in a comment.

In engine/ it stands for a statement: for the one on whose line the comment ends a line or, if the comment has lines of its own, for
the statement that follows it. Before a function's definition it stands for the whole function; before a constant, a field or a
declaration, or on top of a file, for no statement.

In test/unit it stands for a test function, `static void name(void **state)`: in the comment right above it or anywhere in its body.
There it says that this test turns red if the requirement is not met. Ids elsewhere in a test are refused.
"""
import bisect
import pathlib
import re

ID = re.compile(r"(?<![\w-])(?:(?:MUST|SHLD|MAY|REC)-\d+|\d{3,4}-[A-Z]{0,2}\d+)\b")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FUNCTION = re.compile(r"^(?:static |inline |_Noreturn )*[a-zA-Z_][\w ]*[ *]+(\w+)\(([^;{}]*)\)\s*\{", re.M)


class Source:
    """A C file: its comments, and its code with comments and literals blanked, so that places stay the same."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.comments = []
        code = []
        last = 0
        for token in TOKEN.finditer(self.text):
            code.append(self.text[last:token.start()])
            if token.group().startswith("/"):
                self.comments.append(token)
                code.append(re.sub(r"[^\n]", " ", token.group()))
            else:
                code.append('"' + re.sub(r"[^\n]", "_", token.group()[1:-1]) + '"')
            last = token.end()
        code.append(self.text[last:])
        self.code = "".join(code)
        self.lines = [m.start() for m in re.finditer(r"^", self.text, re.M)]
        self.functions = [(m.start(), self.closing(m.end() - 1), m.group(1), m.group(2)) for m in FUNCTION.finditer(self.code)]

    def closing(self, at):
        """The place behind the brace or parenthesis that closes the one at `at`."""
        depth = 0
        for place in range(at, len(self.code)):
            if self.code[place] in "({[":
                depth += 1
            elif self.code[place] in ")}]":
                depth -= 1
                if depth == 0:
                    return place + 1
        raise ValueError(f"{self.path}: nothing closes {at}")

    def line(self, at):
        return bisect.bisect_right(self.lines, at)

    def function_at(self, at):
        for function in self.functions:
            if function[0] <= at < function[1]:
                return function
        return None

    def function_after(self, at):
        """The function whose definition is the next thing behind `at`."""
        for function in self.functions:
            if function[0] >= at:
                return None if self.code[at:function[0]].strip() else function
        return None

    def statement(self, comment):
        """The statement that the comment stands for, as (start, end) in the text; None if it stands for none."""
        function = self.function_at(comment.start())
        if not function:
            return None
        body = self.code.index("{", self.closing(self.code.index("(", function[0])) - 1) + 1
        begin = self.text.rfind("\n", 0, comment.start()) + 1
        own_line = not self.code[begin:comment.start()].strip()
        if own_line:
            start = comment.end()
        else:  # the statement that the line ends, or is in
            end = len(self.code[:comment.start()].rstrip())
            start = self.statement_start(end - 1, body)
        while start < function[1] and self.code[start].isspace():
            start += 1
        if self.code[start] == "}":
            return None
        return start, self.statement_end(start)

    def statement_start(self, at, body):
        """Back from inside a statement to where it begins: behind the last ; { or } outside parentheses."""
        depth = 0
        place = at
        if self.code[place] in ";{":
            place -= 1
        while place >= body:
            c = self.code[place]
            if c in ")]":
                depth += 1
            elif c in "([":
                depth -= 1
                if depth < 0:
                    depth = 0
            elif depth == 0 and c in ";{}":
                return place + 1
            elif depth == 0 and c == ":" and self.code[self.code.rfind("\n", 0, place) + 1:place].lstrip().startswith(("case ", "default")):
                return place + 1
            place -= 1
        return body

    def statement_end(self, start):
        """Behind the statement's ; or, for if, for and while, behind its condition."""
        head = re.match(r"(?:else\s+)?(?:if|while|for|switch)\s*\(", self.code[start:])
        if head:
            return self.closing(start + head.end() - 1)
        place = start
        while self.code[place] != ";":
            place = self.closing(place) if self.code[place] in "({[" else place + 1
        return place + 1


def engine(root):
    """id -> the places in engine/ that cite it, as (Source, comment)."""
    found = {}
    for path in sorted((root / "engine").rglob("*.[ch]")):
        source = Source(path)
        for comment in source.comments:
            for name in sorted(set(ID.findall(comment.group()))):
                found.setdefault(name, []).append((source, comment))
    return found


def tests(root):
    """(id -> the test functions that show it, as (file, function); complaints)."""
    found, complaints = {}, []
    for path in sorted((root / "test" / "unit").rglob("*.[ch]")):
        source = Source(path)
        for comment in source.comments:
            names = sorted(set(ID.findall(comment.group())))
            if not names:
                continue
            function = source.function_at(comment.start()) or source.function_after(comment.end())
            place = path.relative_to(root)
            if not function or "void **" not in function[3] or not re.search(rf"cmocka_unit_test\w*\(\s*{function[2]}\b", source.code):
                complaints.append(f"{place}:{source.line(comment.start())}: {', '.join(names)}: no test function's comment")
                continue
            for name in names:
                pairs = found.setdefault(name, [])
                if (place, function[2]) not in pairs:
                    pairs.append((place, function[2]))
    return found, complaints


def root():
    return pathlib.Path(__file__).resolve().parents[2]
