package dlmstest_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

const getCounter = "C001C1 0001 00002B0100FF 02 00"

// tooLow is the refusal of a counter.
func tooLow(lowest uint32) string { return fmt.Sprintf("D80106 %08X", lowest) }

func TestRepeatedCounters(t *testing.T) {
	t.Parallel()
	p := secure(t, 0x30, nil) // 1: initiate, 2: GMAC, 3: its envelope
	require.Equal(t, uint32(4), p.counter)
	sealed := hex.EncodeToString(p.seal(0xC8, getWh))
	p.send(fmt.Sprintf("0001 0010 0001 %04X", len(octets(t, sealed))) + sealed)
	p.client.apdu()
	p.asks(sealed, tooLow(5))
	p.counter = 2
	p.asks(hex.EncodeToString(p.seal(0xDB, getWh)), tooLow(5))
	p.counter = 9 // gaps are fine
	p.ciphered(0xC8, getWh, 0xCC, gotWh)
	require.Equal(t, 2, p.meter16().RepeatedCounters)

	// What cannot be opened proves nothing, and changes nothing.
	p.counter = 0xFFFFFFFE
	bad := p.seal(0xC8, getWh)
	bad[len(bad)-1] ^= 1
	p.asks(hex.EncodeToString(bad), undeciphered)

	p.pipe() // another connection
	p.counter = 9
	aare := p.associate(5, plainInitiate)
	require.Equal(t, acse.RejectedPermanent, aare.Result)
	require.Equal(t, "0e010006", hex.EncodeToString(aare.UserInformation))
	p.counter = 10
	require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)

	// The counter of a GMAC counts as well, whatever envelope it is in.
	p.counter = 10
	answer := p.gmac()
	p.asks(hex.EncodeToString(p.seal(0xCB, reply(answer))), tooLow(12)) // its envelope was good
	p.counter = 12
	answer = p.gmac()
	p.counter = 12
	p.asks(hex.EncodeToString(p.seal(0xCB, reply(answer))), tooLow(13)) // the same for both
	p.counter = 14
	answer = p.gmac()
	p.counter = 13 // the envelope was sealed first
	plain, err := p.unprotect(p.key, p.content(0xCF, p.transact(p.seal(0xCB, reply(answer)))))
	require.NoError(t, err)
	require.Equal(t, "c701c100", hex.EncodeToString(plain[:4]))
	p.asks(hex.EncodeToString(p.seal(0xC8, getWh)), tooLow(15))
	p.ciphered(0xC8, getWh, 0xCC, gotWh)
	require.Equal(t, 6, p.meter16().RepeatedCounters)
}

func TestCounterException(t *testing.T) {
	t.Parallel()
	cfg := bookConfig(t, gmacClient(t, 0x30))
	cfg.CounterException, cfg.ClientCounter = true, 1000
	p := newPeer(t, connect(t, cfg), 0x30)
	p.asks(hex.EncodeToString(p.aarq(3, 5, p.seal(0x21, plainInitiate))), tooLow(1001))
	p.asks(getWh, notSupported)
	p.counter = 1001
	require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)
	n := p.meter16()
	require.Equal(t, []int{1, 1, 1}, []int{n.Associations, n.Rejections, n.RepeatedCounters})
}

// The public client reads the highest counter that was accepted.
func TestCounterObject(t *testing.T) {
	t.Parallel()
	cfg := bookConfig(t, dlmstest.Client{})
	cfg.Clients[1], cfg.ClientCounter, cfg.Faults = gmacClient(t, 0x30), 77, &dlmstest.Faults{HighCounters: 1}
	c := connect(t, cfg)
	public, p := newPeer(t, c, 0), newPeer(t, c, 0x30)
	public.transact(octets(t, aarqNone))
	public.asks(getCounter, "C401C1 00 06 FFFFFFF0") // ordered
	public.asks(getCounter, "C401C1 00 06 0000004D")
	public.asks("C001C1 0001 00002B0100FF 01 00", "C401C1 00 0906 00002B0100FF")
	public.asks("C001C1 0001 00002B0100FF 03 00", "C401C1 01 03")
	public.asks("C001C1 0003 00002B0100FF 02 00", "C401C1 01 09")
	p.address, p.counter = 1, 78
	require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)
	public.asks(getCounter, "C401C1 00 06 0000004E")
	p.prove()
	public.asks(getCounter, "C401C1 00 06 00000050")

	// The counters of another title begin where all did.
	p.title, p.counter = octets(t, "4D4D4D0000000002"), 78
	require.Equal(t, acse.Accepted, p.associate(5, plainInitiate).Result)
	require.Zero(t, c.meter.Counters().RepeatedCounters)

	open(t, dlmstest.Config{}).ask(getCounter, "C401C1 01 04") // nobody has keys
}

// A challenge never comes twice.
func TestChallenges(t *testing.T) {
	t.Parallel()
	cfg := bookConfig(t, gmacClient(t, 0))
	cfg.Challenge = nil
	p := newPeer(t, connect(t, cfg), 0)
	seen := map[string]bool{}
	for range 3 {
		aare, err := acse.ParseAARE(p.transact(p.aarq(1, 5, octets(t, plainInitiate))))
		require.NoError(t, err)
		require.Len(t, aare.AuthenticationValue, 16)
		seen[string(aare.AuthenticationValue)] = true
	}
	require.Len(t, seen, 3)
	p.asks(reply("00"), "C701C1 FA 00") // no answer at all
}

// Faults of requests wait until the client has proved itself.
func TestFaultsOfCipheredRequests(t *testing.T) {
	t.Parallel()
	p := secure(t, 0x30, func(cfg *dlmstest.Config) { cfg.Faults = &dlmstest.Faults{IgnoreRequests: 1, WrongInvokeID: 1} })
	p.send(fmt.Sprintf("0001 0010 0001 0020 %X", p.seal(0xC8, getWh)))
	p.silence()
	p.ciphered(0xC8, getWh, 0xCC, "C401C2"+gotWh[6:])
}

func TestSecurityFaults(t *testing.T) {
	t.Parallel()
	ordered := func(f dlmstest.Faults) *peer {
		return secure(t, 0x30, func(cfg *dlmstest.Config) { cfg.Faults = &f })
	}
	get := func(p *peer, tag byte) []byte { return p.transact(p.seal(tag, getWh)) }

	p := ordered(dlmstest.Faults{PlainAnswers: 1})
	require.Equal(t, octets(t, gotWh), get(p, 0xC8))
	p.ciphered(0xC8, getWh, 0xCC, gotWh)

	p = ordered(dlmstest.Faults{WrongTags: 1})
	_, err := p.unprotect(p.key, p.content(0xCC, get(p, 0xC8)))
	require.Error(t, err)
	p.ciphered(0xC8, getWh, 0xCC, gotWh)

	p = ordered(dlmstest.Faults{RepeatedCounters: 1})
	before := p.heard
	p.ciphered(0xC8, getWh, 0xCC, gotWh)
	require.Equal(t, before, p.heard)
	p.ciphered(0xC8, getWh, 0xCC, gotWh)
	require.Equal(t, before+1, p.heard)

	p = ordered(dlmstest.Faults{ForeignTitles: 2})
	_, err = p.unprotect(p.key, p.content(0xCC, get(p, 0xC8)))
	require.Error(t, err)
	p.peerTitle("4D4D4D0000BC61B1", func() { p.ciphered(0xDB, getWh, 0xDB, gotWh) })
	p.ciphered(0xDB, getWh, 0xDB, gotWh)

	// The association is spared, but for its own fault.
	p = newPeer(t, connect(t, func() dlmstest.Config {
		cfg := bookConfig(t, gmacClient(t, 0))
		cfg.Faults = &dlmstest.Faults{WrongReplies: 1}
		return cfg
	}()), 0)
	p.transact(p.aarq(1, 5, octets(t, plainInitiate)))
	p.asks(reply(p.gmac()), "C701C1 00 01 00 0911 1001234567FE1466AFB3DBCD4F9389E248")
	p.asks(getWh, gotWh) // the meter is content

	p = newPeer(t, connect(t, func() dlmstest.Config {
		cfg := bookConfig(t, gmacClient(t, 0x30))
		cfg.Faults = &dlmstest.Faults{PlainAnswers: 1, FromAssociation: true}
		return cfg
	}()), 0x30)
	aare, err := acse.ParseAARE(p.transact(p.aarq(3, 5, p.seal(0x21, plainInitiate))))
	require.NoError(t, err)
	require.Equal(t, byte(0x08), aare.UserInformation[0])
}

// peerTitle runs with another title of the meter.
func (p *peer) peerTitle(title string, run func()) {
	old := p.meter
	p.meter = octets(p.t, title)
	run()
	p.meter = old
}

// TestRecordedGMAC plays the client of real dialogues against the meter, which
// answers as the real one did, octet by octet. That client has used a counter
// twice.
func TestRecordedGMAC(t *testing.T) {
	t.Parallel()
	const recorded = "../../../shared/dialogs"
	if _, err := os.Stat(recorded); err != nil {
		t.Skip("the recorded dialogues are not here: they may not be copied")
	}
	for name, repeated := range map[string]int{"dlg-hls-gmac-wrapper-auth-abc": 1, "dlg-hls-gmac-wrapper-none-0": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(recorded, name+".json"))
			require.NoError(t, err)
			var d struct {
				Hex       []string
				GUEK, GAK string
				Server    string `json:"server_system_title"`
			}
			require.NoError(t, json.Unmarshal(text, &d))
			aare, err := acse.ParseAARE(octets(t, d.Hex[1])[8:])
			require.NoError(t, err)
			known := dlmstest.Client{
				Mechanism: acse.HLSGMAC,
				Keys:      security.Keys{EncryptionKey: octets(t, d.GUEK), AuthenticationKey: octets(t, d.GAK)},
			}
			if aare.Context == acse.LNCiphered {
				known.Policy = security.Authenticated
			}
			cfg := dlmstest.Config{
				LogicalAddress: 1001, Clients: map[uint16]dlmstest.Client{1: known}, MaxPDU: 1024, Conformance: 0x1D,
				Title: [8]byte(octets(t, d.Server)), Challenge: aare.AuthenticationValue,
			}
			if repeated > 0 {
				c := connect(t, cfg)
				c.exchange(d.Hex[0], d.Hex[1])
				c.exchange(d.Hex[2], "0001 03E9 0001 0007"+tooLow(2))
			}
			cfg.Faults = &dlmstest.Faults{AnyCounter: true}
			c := connect(t, cfg)
			c.exchange(d.Hex[0], d.Hex[1])
			c.exchange(d.Hex[2], d.Hex[3])
			require.Equal(t, repeated, c.meter.Counters().RepeatedCounters)
			require.Equal(t, 1, c.meter.Counters().Authentications)
		})
	}
}
