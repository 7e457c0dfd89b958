"""FTP and TFTP: the data's connections and ports are the point."""
import os
import pwd

from lab import program
from play_files import digest


def vsftpd_start(lab):
    """vsftpd at port 21 for anonymous clients; as an ordinary user, which it refuses to be of itself, by run_as_launching_user."""
    pub = f"{lab.folder}/root/pub"
    os.makedirs(pub)
    os.makedirs(f"{lab.folder}/empty")
    if os.getuid() == 0:
        os.chown(pub, pwd.getpwnam("ftp").pw_uid, pwd.getpwnam("ftp").pw_gid)
    common = ("background=NO\nanonymous_enable=YES\nlocal_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_umask=022\n"
              "no_anon_password=YES\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nxferlog_enable=NO\nlisten_ipv6=YES\n"
              f"anon_root={lab.folder}/root\nsecure_chroot_dir={lab.folder}/empty\n")
    own = "connect_from_port_20=YES\n" if os.getuid() == 0 else "run_as_launching_user=YES\nconnect_from_port_20=NO\n"
    lab.start("server", "/usr/sbin/vsftpd", lab.file("vsftpd.conf", common + own))
    lab.ready(21)
    return pub


def served_file(lab, pub, name):
    content = os.urandom(3_000_000)
    lab.file(f"root/pub/{name}", content)
    return f"{pub}/{name}"


@program("tnftp", "hashes of what was fetched and stored, passive (EPSV, PASV) and active (EPRT, PORT), from vsftpd")
def tnftp(lab):
    pub = vsftpd_start(lab)
    down = served_file(lab, pub, "down")
    for number, way in enumerate(lab.ways()):
        up = lab.file(f"up-{number}", os.urandom(2_000_000))
        for mode in ("passive", "active"):
            tag = f"{number}-{mode}"
            script = (f"open {way.address}\nuser anonymous none\nbinary\npassive {'on' if mode == 'passive' else 'off'}\ncd pub\n"
                      f"get down {lab.folder}/down-{tag}\nput {up} up-{tag}\nquit\n")
            done = way.run("tnftp", "-n", "-v", input=script)
            way.check(f"{mode}: fetched and stored with the same hashes",
                      digest(down) == digest(f"{lab.folder}/down-{tag}") and digest(up) == digest(f"{pub}/up-{tag}"), done)


@program("lftp", "a tree mirrored by four connections at once has the same hashes, and what was stored passively and actively is fetched",
         differs="works; now and then its first socket() is ended by the signal of its resolver's end (EINTR), and it tries again")
def lftp(lab):
    pub = vsftpd_start(lab)
    names = [os.path.basename(served_file(lab, pub, f"file-{number}")) for number in range(6)]
    for number, way in enumerate(lab.ways()):
        back = f"{lab.folder}/mirror-{number}"
        settings = "set net:max-retries 5; set net:reconnect-interval-base 1; set net:timeout 20; set ssl:verify-certificate no; set ftp:ssl-allow no"
        done = way.run("lftp", "-c", f"{settings}; open ftp://{way.literal}; mirror --parallel=4 --include file- pub {back}", env={**os.environ, "HOME": lab.folder})
        way.check("mirrored by four connections at once, with the same hashes",
                  [digest(f"{back}/{name}") for name in names] == [digest(f"{pub}/{name}") for name in names], done)
        up = lab.file(f"up-{number}", os.urandom(1_000_000))
        for passive in ("on", "off"):
            done = way.run("lftp", "-c", f"{settings}; set ftp:passive-mode {passive}; open ftp://{way.literal}; cd pub; "
                                         f"put {up} -o up-{number}-{passive}; cat up-{number}-{passive} > {back}/up-{passive}; bye",
                           env={**os.environ, "HOME": lab.folder})
            way.check(f"stored and fetched, passive mode {passive}",
                      digest(up) == digest(f"{pub}/up-{number}-{passive}") == digest(f"{back}/up-{passive}"), done)


@program("tftp", "hashes of what was read and written (in.tftpd answers each from a port of its own)")
def tftp(lab):
    folder = lab.home("boot")
    down = lab.file("boot/down", os.urandom(300_000))
    os.chmod(down, 0o644)
    os.chmod(folder, 0o777)
    # It gives up root's rights for each transfer, and fails where it has none.
    root = [] if os.getuid() == 0 else ["fakeroot"]
    lab.start("server", *root, "/usr/sbin/in.tftpd", "-L", "-p", "-c", "-U", "022", "-a", ":69", folder)
    lab.ready(69, protocol="udp")
    for number, way in enumerate(lab.ways()):
        up, back = lab.file(f"up-{number}", os.urandom(200_000)), f"{lab.folder}/back-{number}"
        done = way.run("tftp", f"-{way.family}", "-m", "binary", way.address, "-c", "get", down, back)
        way.check("read with the same hash", digest(down) == digest(back), done)
        done = way.run("tftp", f"-{way.family}", "-m", "binary", way.address, "-c", "put", up, f"{folder}/up-{number}")
        way.check("written with the same hash", digest(up) == digest(f"{folder}/up-{number}"), done)
