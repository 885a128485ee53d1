package dlmstest_test

import (
	"crypto/aes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// What the refusals look like.
const (
	notPossible  = "D80101"
	notSupported = "D80102"
	undeciphered = "D80105"
)

func TestGreenBookGMAC(t *testing.T) {
	t.Parallel()
	p := newPeer(t, connect(t, bookConfig(t, gmacClient(t, 0))), 0)
	aarq := p.aarq(1, 5, octets(t, plainInitiate))
	p.asks(hex.EncodeToString(aarq), "614E A109060760857405080101 A203020100 A305A10302010E A40A04084D4D4D0000BC614E"+
		"88020780 890760857405080205 AA0A8008503677524A323146 BE10040E 0800065F1F040040121508000007")
	p.asks(getWh, notPossible)
	p.asks("C301C1 0008 0000010000FF 01 00", notPossible)
	p.asks("C301C1 000F 0000280000FF 01 01 0911 10000000011A52FE7DD3E72748973C1E28",
		"C701C1 00 01 00 0911 1001234567FE1466AFB3DBCD4F9389E2B7")
	p.asks(getWh, gotWh)
	p.asks("6200", "6303800100")
	p.asks(getWh, notSupported)
	n := p.meter16()
	require.Equal(t, 1, n.Authentications)
	require.Zero(t, n.RepeatedCounters+n.Rejections+n.Ciphered)
}

func (p *peer) meter16() dlmstest.Counters { return p.client.meter.Counters() }

// A password, a dedicated key, and protection both ways.
func TestGreenBookCipheredInitiate(t *testing.T) {
	t.Parallel()
	cfg := bookConfig(t, dlmstest.Client{Mechanism: acse.Low, Password: []byte("12345678"), Keys: bookKeys(t), Policy: 0x30})
	cfg.Conformance, cfg.MaxPDU = 0x501F, 500
	p := newPeer(t, connect(t, cfg), 0x30)
	p.title = octets(t, bookOwn) // which both have in this example
	p.asks("6066 A109060760857405080103 A60A04084D4D4D0000BC614E 8A020780 8B0760857405080201 AC0A80083132333435363738"+
		"BE340432 2130 30 01234567 801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
		"6148 A109060760857405080103 A203020100 A305A103020100 A40A04084D4D4D0000BC614E"+
			"BE230421 281F 30 01234567 891214A0845E475738383A91BC197117581D85ADB648D979E2FB")
	p.counter = 0x01234568
	p.ciphered(0xC8, getWh, 0xCC, gotWh)
	require.Equal(t, uint32(0x01234568), p.heard)
	p.key, p.counter = octets(t, "00112233445566778899AABBCCDDEEFF"), 0 // the counters of the dedicated key are its own
	p.ciphered(0xD0, getWh, 0xD4, gotWh)
	p.asks(hex.EncodeToString(p.seal(0xC8, getWh)), undeciphered)
	p.asks(hex.EncodeToString(p.seal(0xDC, getWh)), notSupported) // general protection was not negotiated
	require.Equal(t, 2, p.meter16().Ciphered)
}

func TestMechanisms(t *testing.T) {
	t.Parallel()
	const stoc, ctos, secret = "P6wRJ21F", "K56iVagY", "12345678"
	client, meter := string(octets(t, bookOther)), string(octets(t, bookOwn))
	blocks := func(s string) []byte {
		c, err := aes.NewCipher([]byte(secret + "\x00\x00\x00\x00\x00\x00\x00\x00"))
		require.NoError(t, err)
		out := make([]byte, 16)
		c.Encrypt(out, append([]byte(s), make([]byte, 8)...))
		return out
	}
	sum := func(s string) []byte { b := md5.Sum([]byte(s)); return b[:] }
	sum1 := func(s string) []byte { b := sha1.Sum([]byte(s)); return b[:] }
	sum256 := func(s string) []byte { b := sha256.Sum256([]byte(s)); return b[:] }
	for _, tt := range []struct {
		mechanism    acse.Mechanism
		ours, theirs []byte
	}{
		{acse.HLS, blocks(stoc), blocks(ctos)},
		{acse.HLSMD5, sum(stoc + secret), sum(ctos + secret)},
		{acse.HLSSHA1, sum1(stoc + secret), sum1(ctos + secret)},
		{acse.HLSSHA256, sum256(secret + client + meter + stoc + ctos), sum256(secret + meter + client + ctos + stoc)},
	} {
		t.Run(tt.mechanism.String(), func(t *testing.T) {
			t.Parallel()
			known := dlmstest.Client{Mechanism: tt.mechanism, Secret: []byte(secret)}
			p := newPeer(t, connect(t, bookConfig(t, known)), 0)
			aarq := p.aarq(1, byte(tt.mechanism), octets(t, plainInitiate))
			require.Equal(t, byte(0x61), p.transact(aarq)[0])
			p.asks(reply(hex.EncodeToString(tt.ours)), fmt.Sprintf("C701C1 00 01 00 09%02X %X", len(tt.theirs), tt.theirs))
			p.asks(getWh, gotWh)

			tt.ours[0] ^= 1
			require.Equal(t, byte(0x61), p.transact(aarq)[0])
			p.asks(reply(hex.EncodeToString(tt.ours)), "C701C1 FA 00")
			p.asks(getWh, notSupported) // there is no association any more
			n := p.meter16()
			require.Equal(t, []int{2, 1, 1, 2}, []int{n.Associations, n.Authentications, n.Rejections, n.Aborts})
		})
	}
}

func TestRefusedAssociations(t *testing.T) {
	t.Parallel()
	md5Client := dlmstest.Client{Mechanism: acse.HLSMD5, Secret: []byte("x")}
	plain := octets(t, plainInitiate)
	for _, tt := range []struct {
		name   string
		client dlmstest.Client
		aarq   func(p *peer) []byte
		code   byte
		error  string // in the user-information
	}{
		{"ciphering without keys", md5Client, func(p *peer) []byte { return p.aarq(3, 3, plain) }, 2, ""},
		{"ciphering demanded", gmacClient(t, 0x30), func(p *peer) []byte { return p.aarq(1, 5, plain) }, 2, ""},
		{"short names", gmacClient(t, 0x30), func(p *peer) []byte { return p.aarq(4, 5, plain) }, 2, ""},
		{"another mechanism", md5Client, func(p *peer) []byte { return p.aarq(1, 4, plain) }, 11, ""},
		{"ECDSA", dlmstest.Client{Mechanism: acse.HLSECDSA}, func(p *peer) []byte { return p.aarq(1, 5, plain) }, 11, ""},
		{"no mechanism", md5Client, func(*peer) []byte { return octets(t, aarqNone) }, 12, ""},
		{"no title", gmacClient(t, 0), func(p *peer) []byte { p.title = nil; return p.aarq(1, 5, plain) }, 3, ""},
		{"no keys for GMAC", dlmstest.Client{Mechanism: acse.HLSGMAC}, func(p *peer) []byte { return p.aarq(1, 5, plain) }, 1, ""},
		{
			"keys too short", dlmstest.Client{Mechanism: acse.HLSGMAC, Keys: security.Keys{EncryptionKey: []byte("short")}},
			func(p *peer) []byte { return p.aarq(3, 5, plain) }, 1, "",
		},
		{"initiate in the clear", gmacClient(t, 0x10), func(p *peer) []byte { return p.aarq(3, 5, plain) }, 1, "0e010006"},
		{"initiate too weak", gmacClient(t, 0x30), func(p *peer) []byte {
			p.control = authenticated
			return p.aarq(3, 5, p.seal(0x21, plainInitiate))
		}, 1, "0e010006"},
		{"wrong key", gmacClient(t, 0x30), func(p *peer) []byte {
			p.key = octets(t, bookAuth)
			return p.aarq(3, 5, p.seal(0x21, plainInitiate))
		}, 1, "0e010006"},
		{"PDU without room", gmacClient(t, 0x30), func(p *peer) []byte {
			return p.aarq(3, 5, p.seal(0x21, "01000000065F1F0400601E1D0020"))
		}, 1, "0e010603"},
		{"dedicated key too short", gmacClient(t, 0x30), func(p *peer) []byte {
			return p.aarq(3, 5, p.seal(0x21, "010102AABB0000065F1F0400601E1DFFFF"))
		}, 1, "0e010600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, connect(t, bookConfig(t, tt.client)), 0x30)
			aare, err := acse.ParseAARE(p.transact(tt.aarq(p)))
			require.NoError(t, err)
			require.Equal(t, acse.RejectedPermanent, aare.Result)
			require.Equal(t, acse.Diagnostic{Source: acse.ServiceUser, Code: tt.code}, aare.Diagnostic)
			require.Equal(t, tt.error, hex.EncodeToString(aare.UserInformation))
			require.Equal(t, 1, p.meter16().Rejections)
			p.asks(getWh, notSupported)
		})
	}
}

// Requests must have what the policy demands, and answers have it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, policy := range []byte{0x10, 0x20, 0x30} {
		t.Run(security.Control(policy).String(), func(t *testing.T) {
			t.Parallel()
			p := secure(t, policy, nil)
			for _, control := range []byte{0x10, 0x20, 0x30} {
				p.control = control
				if control&policy != policy {
					p.asks(hex.EncodeToString(p.seal(0xC8, getWh)), notPossible)
					continue
				}
				p.ciphered(0xC8, getWh, 0xCC, gotWh)
				require.Equal(t, control|policy, p.lastSeen)
			}
			p.asks(getWh, notPossible) // in the clear
			p.control = 0
			p.asks(hex.EncodeToString(p.seal(0xC8, getWh)), undeciphered)
			require.Zero(t, p.meter16().RepeatedCounters)
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, connect(t, bookConfig(t, gmacClient(t, 0))), authenticated)
		require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)
		p.asks(getWh, notPossible) // before pass 3
		p.prove()
		p.asks(getWh, gotWh)
		p.ciphered(0xC8, getWh, 0xCC, gotWh)
		require.Equal(t, byte(authenticated), p.lastSeen)
	})
}

func TestCipheredRequests(t *testing.T) {
	t.Parallel()
	p := secure(t, 0x30, nil)
	sealed := func(tag byte, plain string) string { return hex.EncodeToString(p.seal(tag, plain)) }
	p.ciphered(0xDB, getWh, 0xDB, gotWh)
	p.ciphered(0xC8, "C001C1 0003 0100020800FF 02 00", 0xCC, "C401C1 01 04")
	p.asks(sealed(0xCB, getWh), "D80103")                               // another APDU inside
	p.asks(sealed(0xD0, getWh), undeciphered)                           // there is no dedicated key
	p.asks(sealed(0xC9, "C101C1 0003 0100010800FF 02 00 00"), "D80102") // an exception-response is never ciphered
	p.asks("C8 03 300000", undeciphered)
	p.asks("C8 20 3000", "D80103")
	p.asks("DD 00 00 00 00 00 00 00", undeciphered)
	title := p.title
	p.title = octets(t, bookOwn)
	p.asks(sealed(0xDB, getWh), undeciphered) // of somebody else
	p.title = title
	p.control = 0x31
	p.asks(sealed(0xC8, getWh), undeciphered) // suite 1
	p.control = 0x70
	p.asks(sealed(0xC8, getWh), undeciphered) // the broadcast key
	p.control = 0x30
}

// A client may prove that a release is its own.
func TestRelease(t *testing.T) {
	t.Parallel()
	p := secure(t, 0x30, nil)
	information := p.seal(0x21, plainInitiate)
	rlrq := acse.RLRQ{UserInformation: information}
	rlre, err := acse.ParseRLRE(p.transact(rlrq.Append(nil)))
	require.NoError(t, err)
	plain, err := p.unprotect(p.key, p.content(0x28, rlre.UserInformation))
	require.NoError(t, err)
	require.Equal(t, "0800065f1f0400401215", hex.EncodeToString(plain[:10]))

	require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)
	require.Equal(t, "d80106", hex.EncodeToString(p.transact(rlrq.Append(nil)))[:6]) // the same once more
	p.asks("6200", "6303800100")
	require.Equal(t, 2, p.meter16().Releases)
}

// Each block is ciphered on its own, and fits the PDU with all that is around it.
func TestCipheredBlocks(t *testing.T) {
	t.Parallel()
	for _, size := range []int{64, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 270, 275, 280, 285, 290} {
		for _, tags := range [][2]byte{{0xC8, 0xCC}, {0xDB, 0xDB}} {
			for _, policy := range []byte{0x10, 0x20, 0x30} {
				p := newPeer(t, connect(t, bookConfig(t, gmacClient(t, security.Control(policy)))), policy)
				p.associate(5, fmt.Sprintf("01000000065F1F0400601E1D%04X", size))
				p.prove()
				request, joined, heard := getBig, []byte(nil), p.heard
				for block := 1; ; block++ {
					answer := p.transact(p.seal(tags[0], request))
					require.LessOrEqual(t, len(answer), size)
					plain, err := p.unprotect(p.key, p.content(tags[1], answer))
					require.NoError(t, err)
					require.Greater(t, p.heard, heard)
					heard = p.heard
					r, err := xdlms.ParseGetResponse(plain)
					require.NoError(t, err)
					require.Equal(t, uint32(block), r.Block)
					require.True(t, r.Last || len(answer) >= size-2, "block of %d octets for %d", len(answer), size)
					joined = append(joined, r.Raw...)
					if r.Last {
						break
					}
					request = fmt.Sprintf("C002C1 %08X", block)
				}
				require.Equal(t, append([]byte{9, 0x82, 2, 0x58}, make([]byte, 600)...), joined)
			}
		}
	}
}

func TestSecuredShortNames(t *testing.T) {
	t.Parallel()
	cfg := bookConfig(t, gmacClient(t, 0x30))
	cfg.ShortNames = true
	p := newPeer(t, connect(t, cfg), 0x30)
	aare, err := acse.ParseAARE(p.transact(p.aarq(4, 5, p.seal(0x21, "01000000065F1F04001C132004B0"))))
	require.NoError(t, err)
	require.Equal(t, acse.Accepted, aare.Result)
	require.Equal(t, acse.SNCiphered, aare.Context)
	p.asks("0501 02 FA00", notPossible)
	p.asks(hex.EncodeToString(p.seal(0x25, "0501 02 FA00")), notPossible)
	answer := p.gmac()
	plain, err := p.unprotect(p.key, p.content(0x2C, p.transact(p.seal(0x25, "0501 04 FA58 00 0911"+answer))))
	require.NoError(t, err)
	require.Equal(t, "0c01000911", hex.EncodeToString(plain[:5]))
	p.ciphered(0x25, "0501 02 2008", 0x2C, fmt.Sprintf("0C01 00 06 %08X", p.counter)) // its own

	require.Equal(t, byte(0x61), p.transact(p.aarq(4, 5, p.seal(0x21, "01000000065F1F04001C132004B0")))[0])
	p.ciphered(0x25, "0501 04 FA58 00 0900", 0x2C, "0C01 01 FA")
	p.asks("0501 02 FA00", notSupported)
}
