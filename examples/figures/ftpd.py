"""An FTP server for an ordinary user, on pyftpdlib: anonymous may store, and active data leaves from port 20."""
import logging
import sys
import warnings

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import ActiveDTP, FTPHandler
from pyftpdlib.servers import FTPServer


class ActiveFromPort20(ActiveDTP):
    def connect_af_unspecified(self, address, source_address=None):
        return super().connect_af_unspecified(address, (self.cmd_channel.socket.getsockname()[0], 20))

    def create_socket(self, *arguments):
        super().create_socket(*arguments)
        self.set_reuse_addr()

    def handle_connect(self):
        """The socket becomes another object's. pyftpdlib goes on remembering its number here, and at this session's next command
        takes whoever has that number by then, such as another session's data connection, out of its loop."""
        super().handle_connect()
        self._fileno = None


class Handler(FTPHandler):
    authorizer = DummyAuthorizer()
    active_dtp = ActiveFromPort20


logging.basicConfig(level=logging.WARNING)
warnings.filterwarnings("ignore", "write permissions assigned to anonymous")
Handler.authorizer.add_anonymous(sys.argv[1], perm="elradfmw")
FTPServer(("0.0.0.0", 21), Handler).serve_forever()
