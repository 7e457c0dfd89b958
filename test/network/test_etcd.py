"""The example with three etcd nodes, as a test."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.execv(sys.executable, [sys.executable, "-B", os.path.join(HERE, "../../examples/etcd/etcd.py"), sys.argv[1]])
