// SPDX-License-Identifier: GPL-2.0-only
package interop;

import java.io.ByteArrayOutputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;

/**
 * The answers to challenges that the server class cannot give: it knows one curve and hash only, in short names it takes
 * another form of signature than it gives, and where a number of its own has leading zeros it loses its place.
 */
final class Ecdsa {
    private final KeyPair keys;
    private final String algorithm;

    /** Takes the public key of the client, as X.509 has it, and the private key of the meter, as PKCS #8 has it. */
    Ecdsa(byte[] client, byte[] meter, int suite) {
        try {
            KeyFactory factory = KeyFactory.getInstance("EC");
            keys = new KeyPair(factory.generatePublic(new X509EncodedKeySpec(client)),
                factory.generatePrivate(new PKCS8EncodedKeySpec(meter)));
        } catch (GeneralSecurityException e) {
            throw new IllegalArgumentException(e);
        }
        algorithm = suite == 2 ? "SHA384withECDSAinP1363Format" : "SHA256withECDSAinP1363Format";
    }

    /** The public key of the client with the private key of the meter. */
    KeyPair keys() {
        return keys;
    }

    boolean verify(byte[] signature, byte[]... parts) {
        try {
            Signature s = Signature.getInstance(algorithm);
            s.initVerify(keys.getPublic());
            s.update(joined(parts));
            return s.verify(signature);
        } catch (GeneralSecurityException e) {
            return false; // it is no signature at all
        }
    }

    byte[] sign(byte[]... parts) {
        try {
            Signature s = Signature.getInstance(algorithm);
            s.initSign(keys.getPrivate());
            s.update(joined(parts));
            return s.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }
}
