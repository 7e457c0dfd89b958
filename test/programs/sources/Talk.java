// Java's sockets: `Talk serve PORT` serves by a ServerSocket with threads at PORT, and by NIO with a Selector at PORT + 1 (TCP)
// and PORT + 2 (UDP); `Talk ask ADDRESS PORT OWN` asks, and prints what was right.
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;

public class Talk {
    static String answer(String line, SocketAddress peer) {
        String address = ((InetSocketAddress) peer).getAddress().getHostAddress();
        return new StringBuilder(line.trim()).reverse() + " " + address + "\n";
    }

    static void threads(int port) throws IOException {
        try (ServerSocket server = new ServerSocket(port, 128)) {
            while (true) {
                Socket one = server.accept();
                new Thread(() -> {
                    try (one) {
                        BufferedReader in = new BufferedReader(new InputStreamReader(one.getInputStream()));
                        for (String line; (line = in.readLine()) != null;)
                            one.getOutputStream().write(answer(line, one.getRemoteSocketAddress()).getBytes());
                    } catch (IOException e) {
                        System.out.println(e);
                    }
                }).start();
            }
        }
    }

    static void selector(int port) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel tcp = ServerSocketChannel.open().bind(new InetSocketAddress(port + 1));
        DatagramChannel udp = DatagramChannel.open().bind(new InetSocketAddress(port + 2));
        tcp.configureBlocking(false);
        udp.configureBlocking(false);
        tcp.register(selector, SelectionKey.OP_ACCEPT);
        udp.register(selector, SelectionKey.OP_READ);
        ByteBuffer room = ByteBuffer.allocate(65536);
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                room.clear();
                if (key.channel() == tcp) {
                    SocketChannel one = tcp.accept();
                    one.configureBlocking(false);
                    one.register(selector, SelectionKey.OP_READ);
                } else if (key.channel() == udp) {
                    SocketAddress peer = udp.receive(room);
                    String said = answer(StandardCharsets.UTF_8.decode(room.flip()).toString(), peer);
                    udp.send(ByteBuffer.wrap(said.getBytes()), peer);
                } else {
                    SocketChannel one = (SocketChannel) key.channel();
                    if (one.read(room) < 0)
                        one.close();
                    else
                        one.write(ByteBuffer.wrap(
                            answer(StandardCharsets.UTF_8.decode(room.flip()).toString(), one.getRemoteAddress()).getBytes()));
                }
            }
            selector.selectedKeys().clear();
        }
    }

    static int ask(String address, int port, String own) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(20);
        AtomicInteger right = new AtomicInteger();
        for (int i = 0; i < 20; i++) {
            int number = i;
            pool.submit(() -> {
                try (Socket socket = new Socket(address, port)) {
                    socket.setSoTimeout(30000);
                    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
                    for (int turn = 0; turn < 5; turn++) {
                        String line = "line " + number + " " + turn;
                        socket.getOutputStream().write((line + "\n").getBytes());
                        if ((in.readLine() + "\n").equals(new StringBuilder(line).reverse() + " " + own + "\n"))
                            right.incrementAndGet();
                    }
                }
                return null;
            });
        }
        pool.shutdown();
        pool.awaitTermination(60, TimeUnit.SECONDS);
        return right.get();
    }

    static int datagrams(String address, int port, String own) throws Exception {
        int right = 0;
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(20000);
            DatagramPacket got = new DatagramPacket(new byte[1000], 1000);
            for (int turn = 0; turn < 20; turn++) {
                byte[] text = ("datagram " + turn).getBytes();
                socket.send(new DatagramPacket(text, text.length, InetAddress.getByName(address), port));
                got.setLength(1000);
                socket.receive(got);
                String said = new String(got.getData(), 0, got.getLength());
                if (said.equals(new StringBuilder("datagram " + turn).reverse() + " " + own + "\n"))
                    right++;
            }
        }
        return right;
    }

    public static void main(String[] words) throws Exception {
        if (words[0].equals("serve")) {
            int port = Integer.parseInt(words[1]);
            new Thread(() -> {
                try {
                    selector(port);
                } catch (IOException e) {
                    System.out.println(e);
                }
            }).start();
            threads(port);
        }
        int port = Integer.parseInt(words[2]);
        String own = InetAddress.getByName(words[3]).getHostAddress();
        System.out.println(ask(words[1], port, own) + " by threads, " + ask(words[1], port + 1, own) + " by a selector, "
                           + datagrams(words[1], port + 2, own) + " datagrams");
    }
}
