"""An FTP server for an ordinary user, on pyftpdlib: anonymous may store, and active data leaves from port 20."""
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import ActiveDTP, FTPHandler
from pyftpdlib.servers import FTPServer


class ActiveFromPort20(ActiveDTP):
    def connect_af_unspecified(self, address, source_address=None):
        return super().connect_af_unspecified(address, (self.cmd_channel.socket.getsockname()[0], 20))

    def create_socket(self, *arguments):
        super().create_socket(*arguments)
        self.set_reuse_addr()


class Handler(FTPHandler):
    authorizer = DummyAuthorizer()
    active_dtp = ActiveFromPort20


logging.basicConfig(level=logging.WARNING)
Handler.authorizer.add_anonymous(sys.argv[1], perm="elradfmw")
FTPServer(("0.0.0.0", 21), Handler).serve_forever()
