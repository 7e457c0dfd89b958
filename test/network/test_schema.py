"""docs/berth.schema.json: a right schema; every berth.yaml that is shown in the docs or lies in examples/ is right by it and is read by
`berth up`; and what the reader refuses for its keys or kinds the schema refuses, too."""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run"))
import jsonschema  # noqa: E402
import yaml  # noqa: E402
from harness import check, finish  # noqa: E402

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
with open(f"{root}/docs/berth.schema.json") as file:
    schema = json.load(file)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)


def faults(text):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(yaml.safe_load(text))]


shown = {}
for page in ("README.md", "docs/berth.yaml.md"):
    with open(f"{root}/{page}") as file:
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", file.read(), re.S)):
            shown[f"{page}, block {number}"] = block
for name in glob.glob(f"{root}/examples/**/*.yaml", recursive=True):
    with open(name) as file:
        text = file.read()
    if "\nhosts:" in text or text.startswith("hosts:"):
        shown[name] = text
check("there are some", len(shown) >= 2, shown)
for name, text in shown.items():
    check(f"{name} is right by the schema", not faults(text), faults(text))

for text in ("hosts: {a: {comand: x}}", "hosts: {a: {count: 0}}", "hosts: {a: {expect: {exited: 256}}}", "hosts: []", "host: {}",
             "hosts: {a: {ports: x}}", "hosts: {a: {depends_on: {b: {condition: healthy}}}}", "hosts: {a: {healthcheck: {retries: 0}}}",
             "hosts: {a: {}}\nlinks: [{endpoints: [a]}]", "hosts: {a: {router: maybe}}", "hosts: {a: {restart: sometimes}}",
             "hosts: {a: {stop_grace_period: soon}}", "networks: {lan: {subnets: 10.0.0.0/24}}\nhosts: {a: {}}",
             "hosts: {a: {processes: {p: {}}}}", "hosts: {a: {expect: {output: []}}}"):
    check(f"refused: {text!r}", faults(text))

finish()
