// SPDX-License-Identifier: GPL-2.0-only
package interop;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.DateTimeException;
import java.util.TimeZone;

/** A meter on a TCP port: received octets go to the server class, its answers go back. */
public final class Meter {
    private Meter() {
    }

    public static void main(String[] args) throws Exception {
        Options options;
        try {
            options = Options.parse(args);
        } catch (IllegalArgumentException | DateTimeException e) {
            System.err.println(e.getMessage());
            System.err.println(Options.USAGE);
            System.exit(2);
            return;
        }
        TimeZone.setDefault(options.zone); // the library encodes times in it
        Contents contents = new Contents(options);
        Protection protection = new Protection(options);
        try (ServerSocket listener = new ServerSocket()) {
            listener.setReuseAddress(true);
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), options.port), 64);
            System.out.println(listener.getLocalPort());
            System.out.println(contents.json(options.secured() && !options.shortNames));
            System.out.flush();
            thread(Meter::endWithInput);
            for (int i = 1;; i++) {
                Socket socket = listener.accept();
                Events events = new Events(i);
                events.say("connect");
                thread(() -> serve(socket, options, contents, protection, events));
            }
        }
    }

    private static void thread(Runnable r) {
        Thread t = new Thread(r);
        t.setDaemon(true);
        t.start();
    }

    /** Nobody is left who could stop the meter once its input is closed. */
    private static void endWithInput() {
        try {
            while (System.in.read() >= 0) {
                continue;
            }
        } catch (IOException e) {
            System.err.println("stdin: " + e);
        }
        System.exit(0);
    }

    /** Whether it is one of general block transfer. */
    private static boolean isGeneralBlock(byte[] reply, boolean hdlc) {
        int tag = 8;
        if (hdlc && reply != null) { // after the LLC header
            tag = 3;
            while (tag < 16 && tag < reply.length && !((reply[tag - 3] & 0xFF) == 0xE6 && (reply[tag - 2] & 0xFF) == 0xE7 && reply[tag - 1] == 0)) {
                tag++;
            }
        }
        return reply != null && tag < reply.length && (reply[tag] & 0xFF) == 0xE0;
    }

    private static void serve(Socket socket, Options options, Contents contents, Protection protection, Events events) {
        try (socket) {
            socket.setTcpNoDelay(true);
            Server server = new Server(options, contents, protection, events);
            InputStream in = socket.getInputStream();
            byte[] buffer = new byte[8192];
            Messages messages = new Messages(options.hdlc);
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                messages.add(buffer, n);
                for (byte[] message = messages.next(); message != null; message = messages.next()) {
                    byte[] reply = server.handleRequest(message);
                    server.answered();
                    if (isGeneralBlock(reply, options.hdlc)) {
                        events.say("general-block");
                    }
                    if (reply == null || reply.length == 0) {
                        continue;
                    }
                    Thread.sleep(options.delay);
                    socket.getOutputStream().write(reply);
                    events.say("answer");
                }
            }
        } catch (Exception e) {
            System.err.println("connection " + events.connection() + ": " + e);
        }
        events.say("close");
    }
}
