"""Four pre-forked processes block in accept on one socket; each answers with its number. Then a daemonised grandchild serves on."""
import os
import socket
import sys

listener = socket.create_server(("", int(sys.argv[1])))
if len(sys.argv) > 2:  # daemonise: parent and child leave, the grandchild serves
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
for _ in range(3):
    if os.fork() == 0:
        break
while True:
    connection, _ = listener.accept()
    connection.sendall(f"{os.getpid()}\n".encode())
    connection.close()
