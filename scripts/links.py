"""Checks that the documents stand alone: every relative link in them leads to a file of this repository (and, within a document, to
a heading that it has), and every path in `code` that looks like one of the repository's is there."""
import os
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([A-Za-z_.][\w.-]*(?:/[\w.-]+)+/?)`")


def anchors(path):
    """The names by which headings of a document can be linked, as forges make them."""
    with open(path, encoding="utf-8") as file:
        titles = re.findall(r"^#+ +(.*?) *$", file.read(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def wrong_links(document, text):
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if path.startswith("..") or not os.path.exists(path):
            yield f"no file {target}"
        elif anchor and path.endswith(".md") and anchor not in anchors(path):
            yield f"no heading {target}"


def wrong_paths(text, folders):
    for path in CODE.findall(text):
        if path.split("/")[0] in folders and not os.path.exists(path):
            yield f"no file {path}"


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    folders = {file.split("/")[0] for file in files if "/" in file}
    bad = 0
    for document in (file for file in files if file.endswith(".md") and os.path.exists(file)):
        with open(document, encoding="utf-8") as file:
            text = file.read()
        for words in (*wrong_links(document, text), *wrong_paths(text, folders)):
            print(f"{document}: {words}")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
