package dlmstest_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

// The keys and titles of the Green Book's examples.
const (
	bookKey   = "000102030405060708090A0B0C0D0E0F"
	bookAuth  = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
	bookOwn   = "4D4D4D0000BC614E" // the meter
	bookOther = "4D4D4D0000000001" // its client
)

const (
	authenticated = 0x10
	encrypted     = 0x20
)

func bookKeys(t *testing.T) security.Keys {
	return security.Keys{EncryptionKey: octets(t, bookKey), AuthenticationKey: octets(t, bookAuth)}
}

// bookConfig is a meter of the Green Book's examples with one client, 16.
func bookConfig(t *testing.T, c dlmstest.Client) dlmstest.Config {
	return dlmstest.Config{
		Title:     [8]byte(octets(t, bookOwn)),
		Challenge: []byte("P6wRJ21F"),
		Counter:   0x01234567,
		Clients:   map[uint16]dlmstest.Client{16: c},
	}
}

// gmacClient is a client with high-level security by GMAC and a policy.
func gmacClient(t *testing.T, policy security.Control) dlmstest.Client {
	return dlmstest.Client{Mechanism: acse.HLSGMAC, Keys: bookKeys(t), Policy: policy}
}

// peer is the other end of a secured association, by an encoder of its own.
type peer struct {
	*client
	address  uint16
	title    []byte
	meter    []byte // its title
	key      []byte
	auth     []byte
	control  byte
	counter  uint32 // next
	heard    uint32 // counter of the last answer
	lastSeen byte   // its security control
}

func newPeer(t testing.TB, c *client, control byte) *peer {
	return &peer{
		client: c, address: 16, title: octets(t, bookOther), meter: octets(t, bookOwn),
		key: octets(t, bookKey), auth: octets(t, bookAuth), control: control, counter: 1,
	}
}

// transact sends an APDU and returns the answer.
func (p *peer) transact(apdu []byte) []byte {
	p.t.Helper()
	message, err := wrapper.Append(nil, p.address, 1, apdu)
	require.NoError(p.t, err)
	p.send(hex.EncodeToString(message))
	header := p.read(8, patience)
	require.Len(p.t, header, 8)
	return p.read(int(binary.BigEndian.Uint16(header[6:])), patience)
}

// asks sends an APDU in the clear and expects an answer like that.
func (p *peer) asks(request, want string) {
	p.t.Helper()
	require.Equal(p.t, hex.EncodeToString(octets(p.t, want)), hex.EncodeToString(p.transact(octets(p.t, request))))
}

func (p *peer) gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	require.NoError(p.t, err)
	aead, err := cipher.NewGCMWithTagSize(block, 12)
	require.NoError(p.t, err)
	return aead
}

func vector(title []byte, counter uint32) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(title), counter)
}

// protect makes the octets behind the length of a ciphered APDU.
func (p *peer) protect(key, plain []byte) []byte {
	header := binary.BigEndian.AppendUint32([]byte{p.control}, p.counter)
	iv, aad := vector(p.title, p.counter), append([]byte{p.control}, p.auth...)
	p.counter++
	var body []byte
	switch p.control & (authenticated | encrypted) {
	case authenticated | encrypted:
		body = p.gcm(key).Seal(nil, iv, plain, aad)
	case authenticated:
		body = append(bytes.Clone(plain), p.gcm(key).Seal(nil, iv, nil, append(aad, plain...))...)
	case encrypted:
		body = p.gcm(key).Seal(nil, iv, plain, nil)[:len(plain)]
	default:
		body = plain
	}
	return append(header, body...)
}

// unprotect opens what protect makes, from the meter.
func (p *peer) unprotect(key, b []byte) ([]byte, error) {
	control, body := b[0], b[5:]
	p.lastSeen, p.heard = control, binary.BigEndian.Uint32(b[1:])
	iv, aad := vector(p.meter, p.heard), append([]byte{control}, p.auth...)
	switch control & (authenticated | encrypted) {
	case authenticated | encrypted:
		return p.gcm(key).Open(nil, iv, body, aad)
	case authenticated:
		plain := body[:len(body)-12]
		_, err := p.gcm(key).Open(nil, iv, body[len(plain):], append(aad, plain...))
		return plain, err
	default:
		return p.gcm(key).Seal(nil, iv, body, nil)[:len(body)], nil // counter mode is its own inverse
	}
}

func withLength(b []byte) []byte {
	switch n := len(b); {
	case n < 0x80:
		return append([]byte{byte(n)}, b...)
	case n < 0x100:
		return append([]byte{0x81, byte(n)}, b...)
	default:
		return append([]byte{0x82, byte(n >> 8), byte(n)}, b...)
	}
}

// seal puts an APDU into one with that tag.
func (p *peer) seal(tag byte, plain string) []byte {
	b := []byte{tag}
	if tag == 0xDB || tag == 0xDC {
		b = append(b, withLength(p.title)...)
	}
	return append(b, withLength(p.protect(p.key, octets(p.t, plain)))...)
}

// content cuts what is protected out of an APDU that must have that tag.
func (p *peer) content(tag byte, apdu []byte) []byte {
	p.t.Helper()
	require.Equal(p.t, fmt.Sprintf("%02x", tag), hex.EncodeToString(apdu[:1]), "%x", apdu)
	apdu = apdu[1:]
	if tag == 0xDB || tag == 0xDC {
		require.Equal(p.t, byte(8), apdu[0])
		require.Equal(p.t, hex.EncodeToString(p.meter), hex.EncodeToString(apdu[1:9]))
		apdu = apdu[9:]
	}
	skip := 1
	if apdu[0] > 0x80 {
		skip += int(apdu[0] & 0x7f)
	}
	return apdu[skip:]
}

// ciphered asks under a tag and expects a plain answer inside of another one.
func (p *peer) ciphered(tag byte, request string, answer byte, want string) {
	p.t.Helper()
	plain, err := p.unprotect(p.key, p.content(answer, p.transact(p.seal(tag, request))))
	require.NoError(p.t, err)
	require.Equal(p.t, hex.EncodeToString(octets(p.t, want)), hex.EncodeToString(plain))
}

// aarq is an AARQ for a context and a mechanism, with the challenge of the
// Green Book's examples.
func (p *peer) aarq(context, mechanism byte, initiate []byte) []byte {
	body := octets(p.t, fmt.Sprintf("A109060760857405080 1%02X", context))
	if p.title != nil {
		body = append(body, append([]byte{0xA6, 10, 4, 8}, p.title...)...)
	}
	body = append(body, octets(p.t, fmt.Sprintf("8A020780 8B0760857405 0802%02X AC0A8008 4B35366956616759", mechanism))...)
	body = append(body, append([]byte{0xBE, byte(len(initiate) + 2), 4, byte(len(initiate))}, initiate...)...)
	return append([]byte{0x60}, withLength(body)...)
}

const plainInitiate = "01000000065F1F0400601E1DFFFF"

// associate sends an AARQ with a ciphered InitiateRequest, and opens the AARE.
func (p *peer) associate(mechanism byte, initiate string) acse.AARE {
	p.t.Helper()
	aare, err := acse.ParseAARE(p.transact(p.aarq(3, mechanism, p.seal(0x21, initiate))))
	require.NoError(p.t, err)
	if aare.Result == acse.Accepted {
		plain, err := p.unprotect(p.key, p.content(0x28, aare.UserInformation))
		require.NoError(p.t, err)
		require.Equal(p.t, byte(0x08), plain[0])
	}
	return aare
}

// gmac is the answer to the meter's challenge.
func (p *peer) gmac() string {
	counter := p.counter
	p.counter++
	aad := append(append([]byte{authenticated}, p.auth...), "P6wRJ21F"...)
	return fmt.Sprintf("10 %08X %X", counter, p.gcm(p.key).Seal(nil, vector(p.title, counter), nil, aad))
}

// reply is pass 3 with an answer.
func reply(answer string) string {
	return fmt.Sprintf("C301C1 000F 0000280000FF 01 01 09%02X %s", len(mustHex(answer)), answer)
}

// prove is pass 3 in an envelope, and checks pass 4.
func (p *peer) prove() {
	p.t.Helper()
	plain, err := p.unprotect(p.key, p.content(0xCF, p.transact(p.seal(0xCB, reply(p.gmac())))))
	require.NoError(p.t, err)
	require.Equal(p.t, "c701c10001000911", hex.EncodeToString(plain[:8]))
	answer := plain[8:]
	aad := append(append([]byte{authenticated}, p.auth...), "K56iVagY"...)
	want := p.gcm(p.key).Seal(nil, vector(p.meter, binary.BigEndian.Uint32(answer[1:])), nil, aad)
	require.Equal(p.t, want, answer[5:])
}

// secure is a proved association with GMAC and a policy for both sides.
func secure(t *testing.T, policy byte, change func(cfg *dlmstest.Config)) *peer {
	t.Helper()
	cfg := bookConfig(t, gmacClient(t, security.Control(policy)))
	if change != nil {
		change(&cfg)
	}
	p := newPeer(t, connect(t, cfg), policy)
	aare := p.associate(5, plainInitiate)
	require.Equal(t, acse.Accepted, aare.Result)
	require.Equal(t, acse.DiagnosticAuthenticationRequired, aare.Diagnostic.Code)
	p.prove()
	return p
}
