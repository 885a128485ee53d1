// SPDX-License-Identifier: GPL-3.0-only
package interop;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.DateTimeException;
import java.util.HexFormat;
import org.openmuc.jdlms.AuthenticationMechanism;
import org.openmuc.jdlms.DataDirectory;
import org.openmuc.jdlms.DlmsServer;
import org.openmuc.jdlms.LogicalDevice;
import org.openmuc.jdlms.SecuritySuite;
import org.openmuc.jdlms.ServerBuilder;
import org.openmuc.jdlms.internal.association.Association;
import org.openmuc.jdlms.internal.transportlayer.server.ServerConnectionInformationImpl;
import org.openmuc.jdlms.sessionlayer.server.ServerSessionLayerFactories;
import org.openmuc.jdlms.settings.client.ReferencingMethod;
import org.openmuc.jdlms.transportlayer.StreamAccessor;
import org.openmuc.jdlms.transportlayer.server.ServerTransportLayer;

/**
 * A meter on a TCP port of the loopback interface, over the wrapper. The first line of its output is the port, the second
 * what it holds. Client 16 needs no password, client 32 the one below, client 1 the keys.
 */
public final class Meter extends ServerBuilder<Meter> {
    private static final String PASSWORD = "12345678";
    private static final int PUBLIC = 16;
    private static final int AUTHENTICATED = 32;
    private static final int KEYED = 1;
    private static final String MASTER_KEY = "101112131415161718191A1B1C1D1E1F";
    private static final String ENCRYPTION_KEY = "00112233445566778899AABBCCDDEEFF";
    private static final String AUTHENTICATION_KEY = "F0E0D0C0B0A090807060504030201000";

    private final Options options;

    private Meter(Options options) {
        this.options = options;
    }

    public static void main(String[] args) throws IOException {
        Options options;
        try {
            options = Options.parse(args);
        } catch (IllegalArgumentException | DateTimeException e) {
            System.err.println(e.getMessage());
            System.err.println(Options.USAGE);
            System.exit(2);
            return;
        }
        LogicalDevice device = new LogicalDevice(1, Contents.NAME, "INT", Contents.NUMBER);
        device.setMasterKey(HexFormat.of().parseHex(MASTER_KEY));
        device.addRestriction(PUBLIC, SecuritySuite.builder().build());
        device.addRestriction(AUTHENTICATED, SecuritySuite.builder().setAuthenticationMechanism(AuthenticationMechanism.LOW)
            .setPassword(PASSWORD.getBytes()).build());
        HexFormat hex = HexFormat.of();
        device.addRestriction(KEYED, SecuritySuite.builder().setAuthenticationMechanism(AuthenticationMechanism.HLS5_GMAC)
            .setEncryptionMechanism(SecuritySuite.EncryptionMechanism.AES_GCM_128)
            .setGlobalUnicastEncryptionKey(hex.parseHex(ENCRYPTION_KEY)).setAuthenticationKey(hex.parseHex(AUTHENTICATION_KEY)).build());
        device.registerCosemObject(Contents.objects(options));
        try (DlmsServer server = new Meter(options).setReferencingMethod(ReferencingMethod.LOGICAL).registerLogicalDevice(device).build()) {
            // Nobody is left who could stop the meter once its input is closed.
            while (System.in.read() >= 0) {
                continue;
            }
        }
        System.exit(0);
    }

    private static final class Settings extends ServerSettingsImpl {
    }

    @Override
    public DlmsServer build() throws IOException {
        Settings settings = new Settings();
        setPropertiesTo(settings);
        return newServer(new Listener(parseLogicalDevices(), settings, options));
    }

    /** The listener of the library takes a port of every interface, and does not tell which. */
    private static final class Listener implements ServerTransportLayer {
        private final DataDirectory directory;
        private final Settings settings;
        private final Options options;
        private final ServerSocket socket = new ServerSocket();

        Listener(DataDirectory directory, Settings settings, Options options) throws IOException {
            this.directory = directory;
            this.settings = settings;
            this.options = options;
        }

        @Override
        public void start() throws IOException {
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            System.out.println(socket.getLocalPort());
            System.out.println(Contents.json(options));
            System.out.flush();
            thread(this::accept);
        }

        private void accept() {
            try {
                for (long i = 1;; i++) {
                    Socket s = socket.accept();
                    s.setTcpNoDelay(true);
                    StreamAccessor stream = new Stream(s);
                    thread(new Association(directory,
                        ServerSessionLayerFactories.newWrapperSessionLayerFactory().newSesssionLayer(stream, settings), i, settings,
                        new Client(s.getInetAddress())));
                }
            } catch (IOException e) {
                System.err.println("listener: " + e);
            }
        }

        private static void thread(Runnable r) {
            Thread t = new Thread(r);
            t.setDaemon(true);
            t.start();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    private static final class Client extends ServerConnectionInformationImpl {
        private final InetAddress address;

        Client(InetAddress address) {
            this.address = address;
        }

        @Override
        public InetAddress getClientInetAddress() {
            return address;
        }
    }

    private static final class Stream implements StreamAccessor {
        private final Socket socket;
        private final DataInputStream in;
        private final DataOutputStream out;

        Stream(Socket socket) throws IOException {
            this.socket = socket;
            in = new DataInputStream(socket.getInputStream());
            out = new DataOutputStream(socket.getOutputStream());
        }

        @Override
        public void setTimeout(int milliseconds) throws IOException {
            socket.setSoTimeout(milliseconds);
        }

        @Override
        public DataInputStream getInputStream() {
            return in;
        }

        @Override
        public DataOutputStream getOutpuStream() {
            return out;
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
