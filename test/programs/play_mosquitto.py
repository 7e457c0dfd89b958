"""mosquitto, the MQTT broker, with its own publisher and subscriber."""
import hashlib
import os

from harness import until
from lab import program


@program("mosquitto", "a subscriber gets each of 50 messages once by QoS 0, 1 and 2, a message of 1 MiB with its hash, the retained one, and the "
         "will of a client that is killed")
def mosquitto(lab):
    conf = lab.file("mosquitto.conf", "listener 1883 0.0.0.0\nlistener 1883 ::\nallow_anonymous true\npersistence false\n")
    lab.start("server", *lab.ordinary("mosquitto", "-c", conf))
    lab.ready(1883)
    big = os.urandom(1 << 20)
    file = lab.file("big", big)
    for way in lab.ways():
        at = ["-h", way.address, "-t"]
        topic = f"{way.family}/{way.client}"

        def ear(*words):
            started = way.start("stdbuf", "-oL", "mosquitto_sub", "-d", *at, *words)
            until(lambda: "Subscribed (mid" in lab.said(started), 60)
            return started

        for qos in "012":
            ears = [ear(f"{topic}/{qos}", "-q", qos, "-C", "50", "-F", "got %p") for _ in range(2)]
            way.run("mosquitto_pub", *at, f"{topic}/{qos}", "-q", qos, "-l", input="".join(f"message {n}\n" for n in range(50)))
            for one in ears:
                one.wait(60)
            heard = [[line for line in lab.said(one).splitlines() if line.startswith("got ")] for one in ears]
            way.check(f"QoS {qos}: two subscribers get 50 messages once, in order", heard == [[f"got message {n}" for n in range(50)]] * 2,
                      [lab.said(one)[-500:] for one in ears])
        one = way.start("sh", "-c", f"mosquitto_sub -h {way.address} -t {topic}/big -C 1 -N | sha256sum; echo end")
        until(lambda: way.run("mosquitto_pub", *at, f"{topic}/big", "-q", "1", "-f", file) and "end" in lab.said(one), 60)
        way.check("1 MiB with its hash", lab.said(one).startswith(hashlib.sha256(big).hexdigest()), lab.said(one))
        way.run("mosquitto_pub", *at, f"{topic}/kept", "-r", "-q", "1", "-m", "kept for later")
        said = way.run("mosquitto_sub", *at, f"{topic}/kept", "-C", "1").stdout
        way.check("who comes later gets what is retained", said == "kept for later\n", said)
        heir = ear(f"{topic}/will", "-C", "1", "-F", "got %p")
        dying = ear(f"{topic}/nothing", "--will-topic", f"{topic}/will", "--will-payload", "my will")
        dying.kill()
        way.check("the will of who is killed arrives", until(lambda: "got my will" in lab.said(heir), 60), lab.said(heir))
