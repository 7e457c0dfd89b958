"""What the servers are told: inetd with telnetd and echo, an FTP server whose active data leaves from port 20, nginx."""
import os
import pwd

HERE = os.path.dirname(os.path.abspath(__file__))


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def inetd(folder):
    """inetutils-inetd: telnetd with a login that asks for no password, and echo on TCP and UDP."""
    user = pwd.getpwuid(os.getuid()).pw_name
    login = write(f"{folder}/login", open(f"{HERE}/login.sh").read(), 0o755)
    conf = write(f"{folder}/inetd.conf",
                 f"telnet stream tcp4 nowait {user} /usr/sbin/telnetd telnetd -h -E {login}\n"
                 f"echo stream tcp4 nowait {user} internal\n"
                 f"echo dgram udp4 wait {user} internal\n")
    return ["/usr/sbin/inetutils-inetd", "-d", f"-p{folder}/inetd.pid", conf]


def ftp(folder, pub):
    """vsftpd as root; else pyftpdlib told to send active data from port 20, which vsftpd does only as root."""
    if os.getuid() != 0:
        return ["/usr/bin/python3", "-B", f"{HERE}/ftpd.py", os.path.dirname(pub)]
    user = pwd.getpwnam("ftp")
    os.chown(pub, user.pw_uid, user.pw_gid)
    empty = f"{folder}/empty"
    os.mkdir(empty, 0o755)
    conf = write(f"{folder}/vsftpd.conf",
                 "listen=YES\nlisten_ipv6=NO\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nwrite_enable=YES\n"
                 "anon_upload_enable=YES\nanon_umask=022\nno_anon_password=YES\nconnect_from_port_20=YES\nseccomp_sandbox=NO\n"
                 "isolate=NO\nisolate_network=NO\nxferlog_enable=NO\n"
                 f"anon_root={os.path.dirname(pub)}\nsecure_chroot_dir={empty}\n")
    return ["/usr/sbin/vsftpd", conf]


def nginx(folder, root, options=""):
    """nginx with two workers at port 80; options: more of its words."""
    user = "user root;" if os.getuid() == 0 else ""
    conf = write(f"{folder}/nginx.conf", f"""
{user}
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
        server {{ listen 80; root {root}; {options} }} }}
""")
    return ["/usr/sbin/nginx", "-e", f"{folder}/nginx.log", "-c", conf]
