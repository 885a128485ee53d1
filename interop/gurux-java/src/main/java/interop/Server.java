// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.ConnectionState;
import gurux.dlms.GXDLMSConnectionEventArgs;
import gurux.dlms.ValueEventArgs;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.ErrorCode;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.MethodAccessMode;
import gurux.dlms.enums.ObjectType;
import gurux.dlms.enums.Security;
import gurux.dlms.enums.SourceDiagnostic;
import gurux.dlms.objects.GXDLMSAssociationLogicalName;
import gurux.dlms.objects.GXDLMSAssociationShortName;
import gurux.dlms.objects.GXDLMSHdlcSetup;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.enums.AssociationStatus;
import gurux.dlms.secure.GXDLMSSecureServer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The server of one connection. */
final class Server extends GXDLMSSecureServer {
    /** The address of whoever has no keys. */
    static final int PUBLIC = 16;
    /** Method reply_to_HLS_authentication in short names. */
    private static final int REPLY = 8;
    /** Octets of an answer to a challenge. */
    private static final int GMAC = 17;
    private static final int RANGE = 1;
    private static final int ENTRIES = 2;
    private static final short UNSPECIFIED = (short) 0x8000;

    private final Options options;
    private final Protection protection;
    private final Events events;
    private Object[][] rows = {};
    private final GXDLMSAssociationLogicalName association = new GXDLMSAssociationLogicalName();
    private final GXDLMSAssociationLogicalName open;

    Server(Options options, Contents contents, Protection protection, Events events) {
        super(!options.shortNames, options.hdlc ? InterfaceType.HDLC : InterfaceType.WRAPPER);
        this.options = options;
        this.protection = protection;
        this.events = events;
        open = Protection.forPublic(options.maxPdu);
        protection.pair(getCiphering());
        if (options.hdlc) {
            limitFrames(options.maxInfo);
        }
        setMaxReceivePDUSize(options.maxPdu);
        Set<Conformance> bits = EnumSet.of(Conformance.GET, Conformance.SELECTIVE_ACCESS,
            Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ, Conformance.PRIORITY_MGMT_SUPPORTED);
        if (options.gbt) {
            bits.add(Conformance.GENERAL_BLOCK_TRANSFER);
        }
        if (options.lists) {
            bits.add(Conformance.MULTIPLE_REFERENCES);
        }

        if (options.shortNames) {
            nameShortly(options, contents);
            return;
        }
        association.setClientSAP(options.client);
        association.getAuthenticationMechanismName()
            .setMechanismId(options.authentication);
        association.setSecret(secret());
        association.getXDLMSContextInfo().setMaxReceivePduSize(options.maxPdu);
        association.getXDLMSContextInfo().setMaxSendPduSize(options.maxPdu);
        getItems().add(association);
        addItems(contents);
        if (options.secured()) {
            secure(bits);
        }
        association.getObjectList().addAll(getItems());
        initialize();
        // Not before: initialize gives the association all services there are.
        association.getXDLMSContextInfo().setConformance(bits);
        open.getXDLMSContextInfo().setConformance(EnumSet.of(Conformance.GET));
    }

    /** With a signature there is no secret: the server class would sign it, too. */
    private byte[] secret() {
        return options.authentication == Authentication.HIGH_ECDSA ? new byte[0] : options.password.getBytes(StandardCharsets.ISO_8859_1);
    }

    private void secure(Set<Conformance> bits) {
        getItems().add(protection.setup());
        getItems().add(protection.counter());
        protection.guard(association);
        association.setMethodAccess(1, MethodAccessMode.ACCESS);
        if (options.high()) {
            bits.add(Conformance.ACTION);
        }
        if (options.security != Security.NONE) {
            bits.add(Conformance.GENERAL_PROTECTION);
        }
    }

    private void addItems(Contents contents) {
        for (GXDLMSObject o : contents.objects()) {
            getItems().add(o);
            if (o instanceof GXDLMSProfileGeneric p) {
                rows = Arrays.stream(p.getBuffer()).map(Object[].class::cast).toArray(Object[][]::new);
            }
        }
    }

    /** The meter in short-name referencing: base names from 7000h on, so that some are negative in the list. */
    private void nameShortly(Options options, Contents contents) {
        GXDLMSAssociationShortName list = new GXDLMSAssociationShortName();
        list.setMethodAccess(REPLY, MethodAccessMode.ACCESS);
        protection.arm(getCiphering());
        list.setSecret(secret());
        getItems().add(list);
        addItems(contents);
        int name = 0x7000;
        for (GXDLMSObject o : getItems()) {
            if (o == list) {
                continue;
            }
            o.setShortName(o.getLogicalName().equals("0.0.42.0.0.255") ? 0xFD00 : name);
            name += 0x100;
        }
        list.getObjectList().addAll(getItems());
        initialize();
    }

    /** The limits of SNRM are those of a setup object, without which the server takes what is proposed. */
    private void limitFrames(int octets) {
        GXDLMSHdlcSetup limits = new GXDLMSHdlcSetup();
        limits.setMaximumInfoLengthReceive(octets);
        limits.setMaximumInfoLengthTransmit(octets);
        limits.setWindowSizeReceive(1);
        limits.setWindowSizeTransmit(1);
        getSettings().setHdlc(limits);
        getHdlcSettings().setMaxInfoRX(octets);
        getHdlcSettings().setMaxInfoTX(octets);
    }

    @Override
    protected boolean isTarget(int serverAddress, int clientAddress) {
        boolean anyone = options.secured() && !options.shortNames && clientAddress == PUBLIC;
        if (clientAddress != options.client && !anyone) {
            return false;
        }
        if (!options.shortNames) {
            getSettings().setAssignedAssociation(anyone ? open : association);
        }
        return true;
    }

    private boolean isPublic() {
        return getSettings().getAssignedAssociation() == open;
    }

    @Override
    protected SourceDiagnostic validateAuthentication(Authentication authentication, byte[] password) {
        Authentication wanted = isPublic() ? Authentication.NONE : options.authentication;
        if (authentication != wanted) {
            return authentication == Authentication.NONE ? SourceDiagnostic.AUTHENTICATION_REQUIRED
                : SourceDiagnostic.NOT_RECOGNISED; // the mechanism is not
        }
        boolean wrong = wanted == Authentication.LOW
            && !Arrays.equals(password, options.password.getBytes(StandardCharsets.ISO_8859_1));
        if (wrong || !isPublic() && getCiphering().getSecurity() != options.security) {
            return SourceDiagnostic.AUTHENTICATION_FAILURE;
        }
        if (options.shortNames && options.high()) {
            // Without this it takes no plain READ, not that of the answer to its challenge either.
            getSettings().setConnected(getSettings().getConnected() | ConnectionState.DLMS);
        }
        return SourceDiagnostic.NONE;
    }

    /** In short names the server protects every answer under the same invocation counter, unless it is moved on. */
    void answered() {
        if (options.shortNames) {
            getCiphering().setInvocationCounter(getCiphering().getInvocationCounter() + 1);
        }
    }

    @Override
    protected GXDLMSObject onFindObject(ObjectType type, int shortName, String logicalName) {
        return null; // what is not among the items does not exist
    }

    @Override
    public void read(ValueEventArgs[] args) {
        for (ValueEventArgs e : args) {
            if (!mayRead(e)) {
                e.setError(ErrorCode.READ_WRITE_DENIED);
                e.setHandled(true);
            } else if (e.isAction() && e.getIndex() == REPLY && signs()) {
                exchangeSignatures(e); // in short names methods are read
            } else if (e.getTarget() instanceof GXDLMSRegister r && e.getIndex() == 2) {
                e.setValue(r.getValue());
                e.setHandled(true);
            } else if (e.getTarget() instanceof GXDLMSProfileGeneric p && e.getIndex() == 2 && e.getRowEndIndex() == 0) {
                chooseRows(p, e);
            } else if (e.getTarget() instanceof GXDLMSProfileGeneric && e.getIndex() == 4) {
                e.setValue(Contents.PERIOD); // set at the object, the library would capture rows, too
                e.setHandled(true);
            }
        }
        if (options.answers != null && !isPublic()) {
            getCiphering().setSecurity(options.answers);
        }
    }

    /** The server itself answers whatever it is asked with the protection of the question. */
    private boolean mayRead(ValueEventArgs e) {
        return isPublic() ? e.getTarget() == protection.counter() : isAsAgreed();
    }

    private boolean isAsAgreed() {
        return getCiphering().getSecurity() == options.security
            && (options.security == Security.NONE || getCiphering().getSecuritySuite() == protection.suite());
    }

    /** By entry, rows are numbered from 1, and the last one is included. By range the server class chooses out of all rows. */
    private void chooseRows(GXDLMSProfileGeneric profile, ValueEventArgs e) {
        profile.setBuffer(rows);
        if (e.getSelector() == RANGE && refusesRange((List<?>) e.getParameters())
            || e.getSelector() == ENTRIES && options.refused.contains("entries")) {
            e.setError(ErrorCode.UNMATCHED_TYPE);
            e.setByteArray(true); // else an empty array follows the error
            e.setValue(new byte[0]);
            e.setHandled(true);
            return;
        }
        events.say(e.getSelector() == RANGE ? "range" : e.getSelector() == ENTRIES ? "entries" : "whole");
        if (e.getSelector() == ENTRIES) {
            List<?> range = (List<?>) e.getParameters();
            int from = Math.max(((Number) range.get(0)).intValue(), 1);
            int to = ((Number) range.get(1)).intValue();
            to = to == 0 ? rows.length : Math.min(to, rows.length);
            profile.setBuffer(from > to ? new Object[0][] : Arrays.copyOfRange(rows, from - 1, to));
            e.setSelector(0); // the whole of it
            e.setParameters(null);
        }
    }

    private boolean refusesRange(List<?> parameters) {
        return options.refused.contains("range")
            || options.refused.contains("deviation") && (hasDeviation(parameters.get(1)) || hasDeviation(parameters.get(2)));
    }

    private static boolean hasDeviation(Object time) {
        return ByteBuffer.wrap((byte[]) time).getShort(9) != UNSPECIFIED;
    }

    @Override
    protected void write(ValueEventArgs[] args) {
        refuse(args);
    }

    @Override
    protected void action(ValueEventArgs[] args) {
        ValueEventArgs e = args[0];
        boolean reply = e.getTarget() == association && e.getIndex() == 1
            || e.getTarget() instanceof GXDLMSAssociationShortName && e.getIndex() == REPLY;
        if (!reply || !isAsAgreed()) {
            refuse(args);
        } else if (signs()) {
            exchangeSignatures(e);
        } else if (options.impostor) {
            association.setAssociationStatus(AssociationStatus.ASSOCIATED);
            e.setValue(new byte[GMAC]);
            e.setHandled(true);
        }
    }

    /** Whether challenges are answered here, and not by the server class. */
    private boolean signs() {
        return options.authentication == Authentication.HIGH_ECDSA && !options.ownSignatures && !options.impostor;
    }

    private void exchangeSignatures(ValueEventArgs e) {
        byte[] client = getSettings().getSourceSystemTitle();
        byte[] meter = getCiphering().getSystemTitle();
        byte[] toServer = getSettings().getCtoSChallenge();
        byte[] toClient = getSettings().getStoCChallenge();
        if (!protection.ecdsa().verify((byte[]) e.getParameters(), client, meter, toClient, toServer)) {
            refuse(new ValueEventArgs[] {e});
            return;
        }
        association.setAssociationStatus(AssociationStatus.ASSOCIATED);
        e.setValue(protection.ecdsa().sign(meter, client, toServer, toClient));
        e.setHandled(true);
    }

    private static void refuse(ValueEventArgs[] args) {
        for (ValueEventArgs e : args) {
            e.setError(ErrorCode.READ_WRITE_DENIED);
            e.setHandled(true);
        }
    }

    @Override
    protected void connected(GXDLMSConnectionEventArgs e) {
        events.say("associate");
    }

    @Override
    protected void invalidConnection(GXDLMSConnectionEventArgs e) {
        events.say("refuse");
    }

    @Override
    protected void disconnected(GXDLMSConnectionEventArgs e) {
        events.say("release");
    }
}
