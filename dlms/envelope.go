package dlms

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Ciphering is in which APDUs protected requests travel, and under which key
// (Green Book Ed. 9, clause 9.2.7.2). Answers may come in any.
type Ciphering uint8

// The forms. The last four are general-ciphering, which a meter has to grant by
// general-protection; the initiate is under the global key in all of them.
const (
	// ServiceCiphering is the service specific glo- and ded- APDUs.
	ServiceCiphering Ciphering = iota
	// GeneralCiphering is general-glo-ciphering, or general-ded-ciphering with a
	// dedicated key; to a meter that does not grant general-protection as ServiceCiphering.
	GeneralCiphering
	// IdentifiedKey names the global key.
	IdentifiedKey
	// WrappedKey is a key made for the association, wrapped by the master key.
	WrappedKey
	// OnePassKey is agreed on by a key pair made for the association, signed by our
	// signing key, and the meter's key for agreement: C(1e, 1s).
	OnePassKey
	// StaticKey is agreed on by the keys for agreement of both sides: C(0e, 2s).
	StaticKey
)

// own reports whether requests travel in general-ciphering.
func (c Ciphering) own() bool { return c >= IdentifiedKey }

// PublicKeys are what suites 1 and 2 need beside the keys. All are on the curve of
// the suite; what is not needed may be nil.
type PublicKeys struct {
	Signing        *security.PrivateKey // our own, for HLSECDSA, OnePassKey and Signed
	MeterSigning   *security.PublicKey  // of the meter; nil: that of the certificate that it sends
	Agreement      *security.PrivateKey // our own, for StaticKey, and for answers under OnePassKey
	MeterAgreement *security.PublicKey  // of the meter, for OnePassKey and StaticKey
	// Certificate is ours, of the signing key, which goes to the meter with the AARQ; nil: none is sent.
	Certificate *security.Certificate
	// Roots are whom we believe about the meter's certificate; nil: one that it sends is not used.
	Roots []*security.Certificate
}

// Values of key-parameters.
const (
	onePass      = 1
	staticUnited = 2
)

// keyed is a key of general-ciphering and what it was made of.
type keyed struct {
	of      []byte // key-info and transaction-id that it belongs to
	context *security.Context
}

// envelope are the keys of general-ciphering in both directions.
type envelope struct {
	sent     xdlms.KeyInfo
	sending  *security.Context // nil: not made yet
	received keyed
	shared   []byte // secret of both static keys
	header   []byte // the last one made
}

// checkForm reports what the form of requests lacks.
func (s *Security) checkForm() error {
	p := s.Public
	switch {
	case s.Ciphering.own() && s.Dedicated != nil:
		return errors.New("a dedicated key is not used in general-ciphering: leave one of them out")
	case s.Ciphering.own() && s.Plain:
		return errors.New("general-ciphering needs protection")
	case s.Ciphering == WrappedKey && len(s.MasterKey) != len(s.Keys.EncryptionKey):
		return fmt.Errorf("a wrapped key needs the master key, of %s", octets(len(s.Keys.EncryptionKey)))
	case s.Ciphering == OnePassKey && (p.Signing == nil || p.MeterAgreement == nil):
		return errors.New("a key agreed on in one pass needs our key for signing and the meter's key for agreement")
	case s.Ciphering == StaticKey && (p.Agreement == nil || p.MeterAgreement == nil):
		return errors.New("a key agreed on by static keys needs the keys for agreement of both sides")
	case s.Signed && (p.Signing == nil || s.Plain):
		return errors.New("signed requests need our key for signing, and protection")
	default:
		return nil
	}
}

// sealGeneral protects an APDU as general-ciphering.
func (x *secured) sealGeneral(counter uint32, apdu []byte) (xdlms.Ciphered, error) {
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralCiphering, Title: x.Title}
	c.General = xdlms.GeneralHeader{Transaction: transaction(counter), Recipient: x.meter}
	context, err := x.sendingKey(c.General.Transaction)
	if err != nil {
		return c, err
	}
	c.Key = x.envelope.sent
	x.envelope.header = c.General.AppendTo(x.envelope.header[:0], x.Title)
	c.Protected = context.SealWith(x.plain[:0], x.Title, x.control(), counter, x.envelope.header, apdu)
	return c, nil
}

// transaction makes a transaction-id: no two are the same, as no two counters are.
func transaction(counter uint32) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(counter))
}

// sendingKey returns the key for a request. Those that need no transaction-id are
// made once.
func (x *secured) sendingKey(transaction []byte) (_ *security.Context, err error) {
	e := &x.envelope
	switch x.Ciphering {
	case WrappedKey:
		if e.sending == nil {
			key := make([]byte, len(x.Keys.EncryptionKey))
			_, _ = rand.Read(key) // never fails
			e.sent = xdlms.KeyInfo{Choice: xdlms.KeyWrapped}
			if e.sent.Data, err = security.WrapKey(x.MasterKey, key); err == nil {
				e.sending, err = x.under(key)
			}
		}
		return e.sending, err
	case OnePassKey:
		if e.sending == nil {
			e.sending, err = x.agreeOnce()
		}
		return e.sending, err
	case StaticKey:
		e.sent = xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{staticUnited}}
		return x.agreeStatic(x.Title, transaction, x.meter)
	default:
		e.sent = xdlms.KeyInfo{Choice: xdlms.KeyIdentified}
		return x.context, nil
	}
}

// under makes a context of a key of its own. The authentication key is always the
// global one (clause 9.2.3.3.7.4).
func (x *secured) under(key []byte) (*security.Context, error) {
	keys := x.Keys
	keys.EncryptionKey = key
	return security.NewContext(keys)
}

// agreeOnce makes the key of OnePassKey.
func (x *secured) agreeOnce() (*security.Context, error) {
	ephemeral, err := security.GeneratePrivateKey(x.Keys.Suite)
	if err != nil {
		return nil, err
	}
	z, err := ephemeral.Agree(x.Public.MeterAgreement)
	if err != nil {
		return nil, err
	}
	public := ephemeral.Public().Octets()
	signature, err := x.Public.Signing.Sign(public)
	if err != nil {
		return nil, err
	}
	x.envelope.sent = xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{onePass}, Data: append(public, signature...)}
	u, v, err := security.PartiesOnePass(x.Title, x.meter)
	if err != nil {
		return nil, err
	}
	return x.derived(z, u, v)
}

// agreeStatic makes the key of StaticKey for a transaction.
func (x *secured) agreeStatic(originator, transaction, recipient []byte) (_ *security.Context, err error) {
	if x.Public.Agreement == nil || x.Public.MeterAgreement == nil {
		return nil, errors.New("its key is agreed on by static keys, which are not known: set agreement_key and server_agreement_key")
	}
	if x.envelope.shared == nil {
		if x.envelope.shared, err = x.Public.Agreement.Agree(x.Public.MeterAgreement); err != nil {
			return nil, err
		}
	}
	u, v, err := security.PartiesStaticUnified(originator, transaction, recipient)
	if err != nil {
		return nil, err
	}
	return x.derived(x.envelope.shared, u, v)
}

func (x *secured) derived(z, u, v []byte) (*security.Context, error) {
	key, err := security.DeriveKey(x.Keys.Suite, z, u, v)
	if err != nil {
		return nil, err
	}
	return x.under(key)
}

// receivingKey returns the key of a general-ciphering from the meter.
func (x *secured) receivingKey(c *xdlms.Ciphered) (*security.Context, error) {
	k := c.Key
	if k.Choice == xdlms.KeyAbsent || k.Choice == xdlms.KeyIdentified && k.ID == 0 {
		return x.context, nil
	}
	of := append([]byte{uint8(k.Choice), k.ID, uint8(len(k.Data))}, k.Data...)
	of = append(append(of, k.Parameters...), c.General.Transaction...)
	if r := x.envelope.received; r.context != nil && bytes.Equal(r.of, of) {
		return r.context, nil
	}
	context, err := x.findKey(c)
	if err != nil {
		return nil, err
	}
	x.envelope.received = keyed{of, context}
	return context, nil
}

// findKey unwraps a key, or agrees on it.
func (x *secured) findKey(c *xdlms.Ciphered) (*security.Context, error) {
	k := c.Key
	parameters := -1
	if len(k.Parameters) == 1 {
		parameters = int(k.Parameters[0])
	}
	switch {
	case k.Choice == xdlms.KeyWrapped && k.ID == 0 && len(x.MasterKey) > 0:
		key, err := security.UnwrapKey(x.MasterKey, k.Data)
		if err != nil {
			return nil, err
		}
		return x.under(key)
	case k.Choice == xdlms.KeyWrapped && k.ID == 0:
		return nil, errors.New("its key is wrapped by the master key, which is not known: set master_key")
	case k.Choice == xdlms.KeyAgreed && parameters == onePass:
		return x.meetOnce(k.Data)
	case k.Choice == xdlms.KeyAgreed && parameters == staticUnited:
		return x.agreeStatic(x.meter, c.General.Transaction, x.Title)
	default:
		return nil, fmt.Errorf("it is under a key that is not known here: key-info %d, id %d, parameters %X", k.Choice, k.ID, k.Parameters)
	}
}

// meetOnce makes the key that the meter has agreed on with us in one pass.
func (x *secured) meetOnce(data []byte) (*security.Context, error) {
	p := x.Public
	n := len(data) / 2
	switch {
	case p.Agreement == nil:
		return nil, errors.New("its key is agreed on with our key for agreement, which is not known: set agreement_key")
	case p.MeterSigning == nil:
		return nil, errors.New("its key is signed by the meter, whose key for signing is not known: set server_signing_key")
	case !p.MeterSigning.Verify(data[:n], data[n:]):
		return nil, errors.New("the signature of its key is not the meter's")
	default:
	}
	ephemeral, err := security.ParsePublicKey(x.Keys.Suite, data[:n])
	if err != nil {
		return nil, err
	}
	z, err := p.Agreement.Agree(ephemeral)
	if err != nil {
		return nil, err
	}
	u, v, err := security.PartiesOnePass(x.meter, x.Title)
	if err != nil {
		return nil, err
	}
	return x.derived(z, u, v)
}

// sign puts an APDU into general-signing.
func (x *secured) sign(counter uint32, apdu []byte) ([]byte, error) {
	s := xdlms.Signed{Title: x.Title, Content: apdu}
	s.General = xdlms.GeneralHeader{Transaction: transaction(counter), Recipient: x.meter}
	signature, err := x.Public.Signing.Sign(append(s.General.AppendTo(nil, x.Title), apdu...))
	if err != nil {
		return nil, err
	}
	s.Signature = signature
	return s.Append(nil), nil
}

// verify returns what is inside of a general-signing, if the signature is the
// meter's. What it is of is told differently: with the length of the content, or
// without it; both prove the same.
func (x *secured) verify(apdu []byte) ([]byte, error) {
	s, rest, err := xdlms.CutSigned(apdu)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, fmt.Errorf("%s behind the signed APDU", octets(len(rest)))
	case len(s.Title) > 0 && !bytes.Equal(s.Title, x.meter):
		return nil, fmt.Errorf("it is signed by %s, the meter is %s", security.TitleText(s.Title), security.TitleText(x.meter))
	case x.Public.MeterSigning == nil:
		return nil, errors.New("it is signed, and the meter's key for signing is not known: set server_signing_key")
	}
	fields := len(s.General.Authentic)
	signed := append(s.General.Authentic[:fields:fields], s.Content...)
	whole := append(axdr.AppendLength(s.General.Authentic[:fields:fields], len(s.Content)), s.Content...)
	if !x.Public.MeterSigning.Verify(signed, s.Signature) && !x.Public.MeterSigning.Verify(whole, s.Signature) {
		return nil, errors.New("its signature is not the meter's")
	}
	return s.Content, nil
}
