package dlmstest

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// PublicKeys are what a meter of suite 1 or 2 and its client have beside the keys.
type PublicKeys struct {
	Signing         *security.PrivateKey // the meter's
	ClientSigning   *security.PublicKey
	Agreement       *security.PrivateKey // the meter's
	ClientAgreement *security.PublicKey
	MasterKey       []byte
	Certificate     []byte // the meter's, of Signing: DER, sent with the AARE; nil: none is
}

// Values of key-parameters (Green Book Ed. 9, 9.2.3.4).
const (
	onePass       = 1
	staticUnified = 2
)

// errKey is a key-info that the meter cannot follow.
var errKey = errors.New("the key is not known")

// ofGeneral finds the key of a general-ciphering from the client.
func (s *session) ofGeneral(c *xdlms.Ciphered) (*suite, error) {
	p := s.sec.client.Public
	switch k := c.Key; k.Choice {
	case xdlms.KeyAbsent:
		return s.sec.global, nil
	case xdlms.KeyIdentified:
		if k.ID != 0 {
			return nil, errKey
		}
		return s.sec.global, nil
	case xdlms.KeyWrapped:
		key, err := security.UnwrapKey(p.MasterKey, k.Data)
		if err != nil {
			return nil, err
		}
		return s.under(key)
	default:
		return s.agreed(k, c.General.Transaction)
	}
}

// agreed makes the key that the client has agreed on.
func (s *session) agreed(k xdlms.KeyInfo, transaction []byte) (*suite, error) {
	p := s.sec.client.Public
	if len(k.Parameters) != 1 || p.Agreement == nil {
		return nil, errKey
	}
	own := s.m.cfg.Title[:]
	other, u, v := p.ClientAgreement, []byte(nil), []byte(nil)
	var err error
	switch k.Parameters[0] {
	case onePass:
		half := len(k.Data) / 2
		if p.ClientSigning == nil || !p.ClientSigning.Verify(k.Data[:half], k.Data[half:]) {
			return nil, errKey
		}
		if other, err = security.ParsePublicKey(s.sec.client.Keys.Suite, k.Data[:half]); err != nil {
			return nil, err
		}
		u, v, err = security.PartiesOnePass(s.sec.title, own)
	case staticUnified:
		u, v, err = security.PartiesStaticUnified(s.sec.title, transaction, own)
	default:
		err = errKey
	}
	if err != nil || other == nil {
		return nil, errKey
	}
	return s.derive(p.Agreement, other, u, v)
}

func (s *session) derive(own *security.PrivateKey, other *security.PublicKey, u, v []byte) (*suite, error) {
	z, err := own.Agree(other)
	if err != nil {
		return nil, err
	}
	key, err := security.DeriveKey(s.sec.client.Keys.Suite, z, u, v)
	if err != nil {
		return nil, err
	}
	return s.under(key)
}

// under is a key beside the client's global authentication key.
func (s *session) under(key []byte) (*suite, error) {
	keys := s.sec.client.Keys
	keys.EncryptionKey = key
	return newSuite(keys, s.sec.title, true)
}

// answerKey is the key for an answer to a general-ciphering: of the same kind, and
// where it is agreed on the meter's own.
func (s *session) answerKey(e *envelope, transaction []byte) (by *suite, k xdlms.KeyInfo, err error) {
	k = e.key
	if k.Choice != xdlms.KeyAgreed {
		return e.by, k, nil
	}
	p, own := s.sec.client.Public, s.m.cfg.Title[:]
	if p.ClientAgreement == nil {
		return nil, k, errKey
	}
	if k.Parameters[0] == staticUnified {
		u, v, err := security.PartiesStaticUnified(own, transaction, s.sec.title)
		if err != nil {
			return nil, k, err
		}
		by, err = s.derive(p.Agreement, p.ClientAgreement, u, v)
		return by, k, err
	}
	ephemeral, err := security.GeneratePrivateKey(s.sec.client.Keys.Suite)
	if err != nil || p.Signing == nil {
		return nil, k, errKey
	}
	public := ephemeral.Public().Octets()
	signature, err := p.Signing.Sign(public)
	if err != nil {
		return nil, k, err
	}
	k.Data = append(public, signature...)
	u, v, err := security.PartiesOnePass(own, s.sec.title)
	if err != nil {
		return nil, k, err
	}
	by, err = s.derive(ephemeral, p.ClientAgreement, u, v)
	return by, k, err
}

// sealGeneral puts an answer into general-ciphering.
func (s *session) sealGeneral(plain, title []byte, e *envelope, counter uint32) (c xdlms.Ciphered, err error) {
	c = xdlms.Ciphered{Tag: xdlms.TagGeneralCiphering, Title: title}
	c.General = xdlms.GeneralHeader{Transaction: binary.BigEndian.AppendUint64(nil, uint64(counter)), Recipient: s.sec.title}
	by, key, err := s.answerKey(e, c.General.Transaction)
	if err != nil {
		return c, err
	}
	c.Key = key
	c.Protected = by.SealWith(nil, title, e.control, counter, c.General.AppendTo(nil, title), plain)
	return c, nil
}

// unsign takes the client's signature off a request.
func (s *session) unsign(apdu []byte) (content []byte, ok bool) {
	d, rest, err := xdlms.CutSigned(apdu)
	public := s.sec.client.Public.ClientSigning
	if err != nil || len(rest) > 0 || public == nil || len(d.Title) > 0 && !bytes.Equal(d.Title, s.sec.title) {
		return nil, false
	}
	signed := append(bytes.Clone(d.General.Authentic), d.Content...)
	return d.Content, public.Verify(signed, d.Signature)
}

// sign puts an answer into general-signing.
func (s *session) sign(apdu, title []byte, counter uint32) []byte {
	d := xdlms.Signed{Title: title, Content: apdu}
	d.General = xdlms.GeneralHeader{Transaction: binary.BigEndian.AppendUint64(nil, uint64(counter)), Recipient: s.sec.title}
	signature, err := s.sec.client.Public.Signing.Sign(append(d.General.AppendTo(nil, title), apdu...))
	if err != nil {
		return nil
	}
	d.Signature = signature
	return d.Append(nil)
}

// generalRoom is how many octets general-ciphering and a signature take beside
// what is inside, at most.
func (e *envelope) generalRoom() (octets int) {
	const fields = 1 + 8 + 2*generalTitle + 2
	if e.tag == xdlms.TagGeneralCiphering {
		octets += fields + len(axdr.AppendLength(nil, len(e.key.Data))) + len(e.key.Data) + 5
	}
	if e.signed {
		octets += 1 + fields + 2*3 + 96
	}
	return octets
}
