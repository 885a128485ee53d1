// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.Security;
import gurux.dlms.objects.GXDLMSAssociationLogicalName;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSSecuritySetup;
import gurux.dlms.objects.enums.ApplicationContextName;
import gurux.dlms.objects.enums.SecurityPolicy;
import gurux.dlms.objects.enums.SecuritySuite;
import gurux.dlms.secure.GXCiphering;
import java.util.EnumSet;
import java.util.Set;

/** The keys of a meter, and what it keeps of its clients' invocation counters from one connection to the next. */
final class Protection {
    static final String SETUP = "0.0.43.0.0.255";
    static final String COUNTER = "0.0.43.1.0.255";

    private final Options options;
    private final Ecdsa ecdsa; // null: there are no such keys
    private final Ecdsa agreement;
    /** Shared by all connections: the server refuses counters below it, and sets it to what it has seen. */
    private final GXDLMSData counter = new GXDLMSData(COUNTER);

    Protection(Options options) {
        this.options = options;
        counter.setDataType(2, DataType.UINT32);
        counter.setValue(options.counter);
        ecdsa = options.signingKey.length > 0 ? new Ecdsa(options.clientKey, options.signingKey, options.suite) : null;
        agreement = options.agreementKey.length > 0 ? new Ecdsa(options.clientAgreementKey, options.agreementKey, options.suite) : null;
    }

    GXDLMSData counter() {
        return counter;
    }

    /** An object of its own for one connection. */
    GXDLMSSecuritySetup setup() {
        GXDLMSSecuritySetup s = new GXDLMSSecuritySetup(SETUP);
        s.setSecuritySuite(suite()); // first: it decides how long keys are
        s.setServerSystemTitle(options.title);
        s.setGuek(options.key);
        s.setGak(options.authenticationKey);
        s.setSecurityPolicy(policy());
        return s;
    }

    SecuritySuite suite() {
        return SecuritySuite.forValue(options.suite);
    }

    Ecdsa ecdsa() {
        return ecdsa;
    }

    /** Gives the server class the public keys of the client and the private ones of the meter. */
    void pair(GXCiphering ciphering) {
        if (ecdsa != null) {
            ciphering.setSigningKeyPair(ecdsa.keys());
        }
        if (agreement != null) {
            ciphering.setKeyAgreementKeyPair(agreement.keys());
        }
    }

    private Set<SecurityPolicy> policy() {
        Set<SecurityPolicy> p = EnumSet.noneOf(SecurityPolicy.class);
        if (options.security == Security.AUTHENTICATION || options.security == Security.AUTHENTICATION_ENCRYPTION) {
            p.add(SecurityPolicy.AUTHENTICATED_REQUEST);
            p.add(SecurityPolicy.AUTHENTICATED_RESPONSE);
        }
        if (options.security == Security.ENCRYPTION || options.security == Security.AUTHENTICATION_ENCRYPTION) {
            p.add(SecurityPolicy.ENCRYPTED_REQUEST);
            p.add(SecurityPolicy.ENCRYPTED_RESPONSE);
        }
        return p;
    }

    /** What an association in logical names needs; its object list must have the setup. */
    void guard(GXDLMSAssociationLogicalName association) {
        association.setSecuritySetupReference(SETUP);
        association.getApplicationContextName().setContextId(options.security == Security.NONE
            ? ApplicationContextName.LOGICAL_NAME : ApplicationContextName.LOGICAL_NAME_WITH_CIPHERING);
    }

    /** The association of client 16, which sees the counter and nothing else. */
    static GXDLMSAssociationLogicalName forPublic(int pdu) {
        GXDLMSAssociationLogicalName a = new GXDLMSAssociationLogicalName("0.0.40.0.1.255");
        a.setClientSAP(Server.PUBLIC);
        a.getAuthenticationMechanismName().setMechanismId(Authentication.NONE);
        a.getXDLMSContextInfo().setMaxReceivePduSize(pdu);
        a.getXDLMSContextInfo().setMaxSendPduSize(pdu);
        return a;
    }

    /** In short names the server has no setup object to take the keys from. */
    void arm(GXCiphering ciphering) {
        ciphering.setSecuritySuite(suite());
        ciphering.setSystemTitle(options.title);
        ciphering.setBlockCipherKey(options.key);
        ciphering.setAuthenticationKey(options.authenticationKey);
    }
}
