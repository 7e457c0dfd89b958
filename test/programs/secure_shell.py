"""An sshd of an ordinary user's, with keys made for it, for whatever is played through ssh."""
import os
import pwd
import subprocess

from lab import Unplayable

SHELLS = ("/bin/bash", "/bin/sh", "/bin/dash", "/usr/bin/bash")


def user_with_shell():
    """Who logs in: the tests' own user, or instead of root an ordinary one with a shell, such as postgres."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    found = [user for user in pwd.getpwall() if user.pw_uid != 0 and user.pw_shell in SHELLS]
    return sorted(found, key=lambda user: user.pw_name != "postgres")[0]


class SecureShell:
    def __init__(self, lab):
        """Starts sshd at port 22 of the computer `server`."""
        self.user = user_with_shell()
        if self.user.pw_shell not in SHELLS:
            raise Unplayable(f"sshd lets {self.user.pw_name} not log in: the shell is {self.user.pw_shell}")
        self.folder = f"{lab.folder}/ssh"
        os.makedirs(f"{self.folder}/files")
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{self.folder}/{key}"], check=True)
        with open(f"{self.folder}/user.pub") as file:
            lab.file("ssh/authorized", file.read())
        with open(f"{self.folder}/host.pub") as file:
            lab.file("ssh/known", f"* {file.read()}")
        lab.file("ssh/conf", f"""Port 22
HostKey {self.folder}/host
AuthorizedKeysFile {self.folder}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
""")
        for path in ("", "files", "host"):
            self.own(f"{self.folder}/{path}")
        lab.start("server", *self.become(), "/usr/sbin/sshd", "-D", "-e", "-f", f"{self.folder}/conf")
        lab.ready(22)
        self.options = ["-F", "/dev/null", "-i", f"{self.folder}/user"]
        for option in (f"UserKnownHostsFile={self.folder}/known", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes",
                       "IdentitiesOnly=yes", "BatchMode=yes", "ExitOnForwardFailure=yes"):
            self.options += ["-o", option]

    def become(self):
        if os.getuid() != 0:
            return []
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups"]

    def own(self, path):
        """Makes a file, or a folder with all in it, the user's."""
        for folder, _, names in [(path, [], []), *os.walk(path)]:
            for name in ("", *names):
                os.chown(os.path.join(folder, name).rstrip("/"), self.user.pw_uid, self.user.pw_gid)

    def words(self, way, *options):
        return ["ssh", *self.options, "-l", self.user.pw_name, *options, way.address]

    def line(self):
        """As rsync and git want it: one line, to which they add user and address."""
        return " ".join(["ssh", *self.options, "-l", self.user.pw_name])
