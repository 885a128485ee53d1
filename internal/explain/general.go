package explain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Values of key-parameters (Green Book Ed. 9, clause 9.2.3.4.6).
const (
	onePass      = 1
	staticUnited = 2
)

// generalHeader adds the fields in front of general-ciphering and general-signing,
// those that are not empty.
func (x *explainer) generalHeader(n *Node, h *xdlms.GeneralHeader, originator []byte, o octets) {
	x.free(n, "transaction-id", h.Transaction, o)
	if len(originator) > 0 {
		x.title(n, "originator-system-title", originator, o)
	}
	if len(h.Recipient) > 0 {
		x.title(n, "recipient-system-title", h.Recipient, o)
	}
	x.time(n, "date-time", h.Time, o)
	x.free(n, "other-information", h.Other, o)
}

// free adds octets that may be anything.
func (x *explainer) free(n *Node, name string, b []byte, o octets) {
	if len(b) == 0 {
		return
	}
	at, _ := o.find(b, 0)
	node := x.add(n, name, hexText(b), at)
	if identifier(b) {
		node.Note = octetText(b)
		x.markOctets(secretText, at)
	}
}

// heardFrom notes whose title it is: of which side, tag tells.
func heardFrom(s *session, tag xdlms.APDUTag, title, recipient []byte) {
	switch {
	case len(title) == 0:
	case !fromServer(tag):
		if len(s.clientTitle) == 0 {
			s.clientTitle = bytes.Clone(title)
		}
	case bytes.Equal(title, s.clientTitle), len(recipient) > 0 && bytes.Equal(recipient, s.serverTitle):
	default:
		s.serverTitle = bytes.Clone(title)
	}
}

// keyInfo explains how the key of a general-ciphering is found. It is behind the
// header, and the content has its length in front.
func (x *explainer) keyInfo(n *Node, p *xdlms.Ciphered, o octets) {
	from := 1 + len(p.General.Authentic)
	_, to := o.find(p.Protected, from)
	at := o.cut(from, max(to-len(axdr.AppendLength(nil, len(p.Protected))), from+1))
	k := p.Key
	data, _ := o.find(k.Data, from)
	node := x.add(n, "key-info", "none", at)
	switch k.Choice {
	case xdlms.KeyIdentified:
		node.Value, node.Note = fmt.Sprintf("identified-key %d", k.ID), identifiedKey(k.ID)
	case xdlms.KeyWrapped:
		node.Value, node.Note = fmt.Sprintf("wrapped-key %d", k.ID), "wrapped by the master key"
		if k.ID != 0 {
			node.Note = "wrapped by a key that is not known: 0, the master key, is expected"
		}
		x.add(node, "key-ciphered-data", hexText(k.Data), data).Note = count(len(k.Data), "octet")
	case xdlms.KeyAgreed:
		node.Value = "agreed-key"
		x.agreedKey(node, k, o, data)
	default:
		node.Note = "both sides know which one it is"
	}
}

func identifiedKey(id uint8) string {
	switch id {
	case 0:
		return "the global unicast encryption key"
	case 1:
		return "the global broadcast encryption key"
	default:
		return "not known: 0, the global unicast key, or 1, the broadcast key, is expected"
	}
}

// agreedKey explains what a key is agreed on by.
func (x *explainer) agreedKey(n *Node, k xdlms.KeyInfo, o, data octets) {
	parameters, _ := o.find(k.Parameters, 0)
	x.add(n, "key-parameters", hexText(k.Parameters), parameters)
	switch parametersOf(k) {
	case onePass:
		n.Note = "one-pass Diffie-Hellman, C(1e, 1s)"
		half := len(k.Data) / 2
		curve := curveOf(half)
		if curve == "" || 2*half != len(k.Data) {
			x.markOctets(secretValue, data)
			x.flaw(x.add(n, "key-ciphered-data", hexText(k.Data), data),
				fmt.Sprintf("%s: a public key and a signature, each of 64 (P-256) or 96 (P-384), are expected", count(len(k.Data), "octet")))
			return
		}
		x.add(n, "ephemeral public key", hexText(k.Data[:half]), data.cut(0, half)).Note = count(half, "octet") + ", " + curve
		x.signature(n, k.Data[half:], data.from(half))
		return
	case staticUnited:
		n.Note = "static unified model, C(0e, 2s)"
	default:
		n.Note = "key-parameters that are not known: 01, one-pass, or 02, static unified, is expected"
	}
	if len(k.Data) > 0 {
		x.add(n, "key-ciphered-data", hexText(k.Data), data)
		x.markOctets(secretValue, data)
	}
}

// parametersOf are the key-parameters as a number; -1: they are none.
func parametersOf(k xdlms.KeyInfo) int {
	if len(k.Parameters) != 1 {
		return -1
	}
	return int(k.Parameters[0])
}

// curveOf names the curve whose signatures and public keys have so many octets.
func curveOf(octets int) string {
	switch octets {
	case 64:
		return "P-256 (suite 1)"
	case 96:
		return "P-384 (suite 2)"
	default:
		return ""
	}
}

// signature adds a signature. Who has the public key of its signer can try what it
// is of, so that it is redacted.
func (x *explainer) signature(n *Node, b []byte, at octets) {
	node := x.add(n, "signature", count(len(b), "octet"), at)
	curve := curveOf(len(b))
	if curve == "" {
		x.flaw(node, "a signature has 64 octets (P-256) or 96 (P-384)")
	} else {
		node.Note = "ECDSA on " + curve + "; not verified: decode has no key for it"
	}
	x.markOctets(secretValue, at)
}

// signed explains general-signing, and the APDU that is signed.
func (x *explainer) signed(n *Node, o octets, c ctx) {
	s, rest, err := xdlms.CutSigned(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	x.generalHeader(n, &s.General, s.Title, o)
	content, at := o.find(s.Content, 1+len(s.General.Authentic))
	node := x.add(n, "content", count(len(s.Content), "octet"), content)
	if len(s.Content) == 0 {
		x.flaw(node, "there is no APDU")
	} else {
		heardFrom(c.s, xdlms.APDUTag(s.Content[0]), s.Title, s.General.Recipient)
		inner := c
		inner.level++
		x.apdu(node, content, inner)
	}
	signature, _ := o.find(s.Signature, at+len(s.Content))
	x.signature(n, s.Signature, signature)
	x.behind(n, o, rest, "signed")
}

// behind notes octets that are left over.
func (x *explainer) behind(n *Node, o octets, rest []byte, what string) {
	if len(rest) > 0 {
		x.damaged(n, o, len(o.b)-len(rest), fmt.Sprintf("%s behind the %s APDU", count(len(rest), "octet"), what))
	}
}

// needed is a key that an APDU is under.
type needed struct {
	keys   *security.Context // nil: not there
	what   string            // it is
	option string            // how it is given
	err    error             // why it cannot be made of what was given; nil: something is missing
}

// keyFor returns the key that an APDU is under.
func (x *explainer) keyFor(p *xdlms.Ciphered, title []byte, s *session) needed {
	owner := "a system title that is not known"
	if len(title) > 0 {
		owner = "system title " + titleText(title)
	}
	k := p.Key
	switch {
	case p.Tag.UnderDedicatedKey():
		return needed{keys: s.dedicated, what: "dedicated key of system title " + titleText(s.clientTitle), option: ": it is in the AARQ, which -key opens"}
	case k.Choice == xdlms.KeyIdentified && k.ID == 1:
		return needed{keys: x.keys, what: "broadcast encryption key of " + owner, option: ": -key HEX"}
	case k.Choice == xdlms.KeyWrapped && len(x.opt.MasterKey) == 0:
		return needed{what: "master key of " + owner, option: ": -master_key HEX"}
	case k.Choice == xdlms.KeyWrapped:
		keys, err := x.unwrapped(k.Data)
		return needed{keys: keys, err: err}
	case k.Choice == xdlms.KeyAgreed:
		q := needed{what: "key that " + owner + " has agreed on"}
		switch parametersOf(k) {
		case onePass:
			q.option = ": it takes the private key for agreement of the recipient, and decode takes no private keys"
		case staticUnited:
			q.option = ": it takes the private key for agreement of one side and the public one of the other, and decode takes no private keys"
		default:
			q.option = ", in a way that is not known"
		}
		return q
	default:
		return needed{keys: x.keys, what: "encryption key of " + owner, option: ": -key HEX"}
	}
}

// unwrapped is the key that came with an APDU, wrapped by the master key.
func (x *explainer) unwrapped(data []byte) (*security.Context, error) {
	key, err := security.UnwrapKey(x.opt.MasterKey, data)
	if err != nil {
		return nil, err
	}
	keys, err := security.NewContext(keysOf(key, x.opt.AuthKey))
	if err != nil {
		return nil, fmt.Errorf("the key that was unwrapped: %w", err)
	}
	return keys, nil
}

// refused is why a key does not open an APDU.
func refused(err error) string {
	var sec *security.Error
	if errors.As(err, &sec) {
		switch sec.Reason {
		case security.WrongKey:
			return "wrong encryption key: " + err.Error()
		case security.WrongTag:
			return "wrong authentication key: " + err.Error() + "; without -auth_key the contents are shown"
		default:
		}
	}
	return err.Error()
}
