package dlms_cosem

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// logins counts the AARQs of the secured client, and may answer one, by its
// number, in place of the meter.
type logins struct {
	seen   atomic.Int32
	answer func(n int32) []byte
}

func (l *logins) faults(f dlmstest.Faults) *dlmstest.Faults {
	f.Raw = func(apdu []byte) ([]byte, bool) {
		q, err := acse.ParseAARQ(apdu)
		if err != nil || q.Mechanism != acse.HLSGMAC {
			return nil, false
		}
		reply := l.answer(l.seen.Add(1))
		return reply, reply != nil
	}
	return &f
}

// refusing answers the nth login.
func refusing(nth int32, exception []byte) *logins {
	return &logins{answer: func(n int32) []byte {
		if n != nth {
			return nil
		}
		return exception
	}}
}

// TestSecuredCounterTooLow: a meter that wants a higher counter, and tells which,
// gets it within the run: one counter is sent in vain, by whatever it is refused.
func TestSecuredCounterTooLow(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, word := range []string{"none", "authentication+encryption"} {
			t.Run(framing+"/"+word, func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := guard(t, framing, func(c *dlmstest.Config) {
						c.CounterException = true
						x := c.Clients[1]
						if word == "none" {
							x.Policy = 0
						}
						c.Clients = map[uint16]dlmstest.Client{1: x} // nobody else may ask
					})
					n.set("", &host{meter: g.Meter})
					c := registersConf(securedTop(framing)+"\nsecurity = \""+word+"\"\ninvocation_counter = 7", everyTen, 5)
					for run := range 2 {
						p := startProgram(t, n, dir, c)
						later(45 * time.Second)
						p.Stop()
						require.Empty(t, p.acc.errors())
						require.Equal(t, 5*5, requireTrue(t, p.acc))
						require.Equal(t, []string{"success", "success", "success", "success", "success"}, p.acc.results())
						require.Equal(t, 1, g.Counters().RepeatedCounters, "the one that had to be tried")
						warnings := p.log.at("W! ")
						require.Len(t, warnings, 1-run, "the next run knows")
						if run == 0 {
							require.Contains(t, warnings[0], "The meter wants an invocation counter of at least 1001: it is raised")
						}
					}
				})
			})
		}
	}
}

// TestSecuredCounterUntold: a meter that refuses a counter and does not tell
// what it wants is asked for it, as the public client.
func TestSecuredCounterUntold(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		l := refusing(1, []byte{0xD8, 1, 6})
		g := guard(t, "wrapper", func(c *dlmstest.Config) { c.MaxSessions, c.Faults = 1, l.faults(dlmstest.Faults{}) })
		n.set("", &host{meter: g.Meter})
		p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\ninvocation_counter = 7", everyTen, 5))
		later(45 * time.Second)
		p.Stop()
		require.Empty(t, p.acc.errors())
		require.Equal(t, 5*5, requireTrue(t, p.acc))
		require.Equal(t, 1, g.left(16))
		require.Equal(t, 1, g.left(1))
		require.Zero(t, g.Counters().RepeatedCounters, "the meter itself has seen none twice")
		require.Len(t, p.log.at("W! "), 1)
		require.Contains(t, p.log.at("W! ")[0], "at least 1001: it is raised")
	})
}

// TestSecuredCounterRaisedOnce: a meter that is never content is not followed
// for ever, and is left alone more and more.
func TestSecuredCounterRaisedOnce(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		l := &logins{answer: func(n int32) []byte {
			return xdlms.ExceptionResponse{State: xdlms.ServiceNotAllowed, Service: xdlms.InvocationCounterError,
				InvocationCounter: 5000 + 1000*uint32(n), HasCounter: true}.Append(nil)
		}}
		g := guard(t, "wrapper", func(c *dlmstest.Config) { c.Faults = l.faults(dlmstest.Faults{}) })
		n.set("", &host{meter: g.Meter})
		p := startProgram(t, n, dir, registersConf(securedTop("wrapper"), everyTen, 5))
		later(5 * time.Second)
		require.Equal(t, int32(2), l.seen.Load(), "the first attempt and one with a higher counter")
		later(10 * time.Minute)
		p.Stop()
		require.Empty(t, p.acc.values())
		require.Len(t, p.acc.errors(), 1)
		require.Contains(t, p.acc.errors()[0], "invocation-counter-error")
		require.Len(t, p.acc.results(), 61)
		tried := len(attempts(runsOf(p.acc, time.Now())))
		require.Less(t, tried, 10)
		require.Equal(t, int32(2*tried), l.seen.Load())
	})
}

// TestSecuredStateLost: with a new state the meter is asked where it stands.
func TestSecuredStateLost(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		g := guard(t, "hdlc", nil)
		n.set("", &host{meter: g.Meter})
		c := registersConf(securedTop("hdlc")+"\nsystem_title = \"5447440123456789\"", everyTen, 5)
		for run := 1; run <= 3; run++ {
			p := startProgram(t, n, dir, c)
			later(45 * time.Second)
			p.Stop()
			require.Empty(t, p.acc.errors())
			require.Equal(t, 5*5, requireTrue(t, p.acc))
			require.Equal(t, run, g.left(16))
			dir = t.TempDir()
		}
		require.Zero(t, g.Counters().RepeatedCounters)
	})
}

// TestSecuredJump: who says, without proof, that the counter is nearly used up
// is not believed: neither at first nor later, and it costs no counter.
func TestSecuredJump(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		g := guard(t, "wrapper", func(c *dlmstest.Config) { c.Faults = &dlmstest.Faults{HighCounters: 1} })
		n.set("", &host{meter: g.Meter})
		p := startProgram(t, n, dir, registersConf(securedTop("wrapper"), everyTen, 5))
		later(5 * time.Second)
		require.Empty(t, p.acc.values())
		require.Zero(t, g.left(1))
		require.Len(t, p.acc.errors(), 1)
		require.Contains(t, p.acc.errors()[0], "invocation counter: the meter says that 4294967280 was the last one, to a client that is not authenticated: this is not believed; if it is so, set invocation_counter")
		later(40 * time.Second)
		p.Stop()
		require.Equal(t, 4*5, requireTrue(t, p.acc), "the next poll asked again")
		require.Empty(t, p.log.at("W! "), "the counter is not nearly used up")
	})
	for name, exception := range map[string][]byte{
		"told":   {0xD8, 1, 6, 0xFF, 0xFF, 0xFF, 0xF0},
		"untold": {0xD8, 1, 6},
	} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				l := refusing(2, exception)
				g := guard(t, "wrapper", func(c *dlmstest.Config) { c.Faults = l.faults(dlmstest.Faults{HighCounters: -1}) })
				n.set("", &host{meter: g.Meter})
				p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\nkeep_open = \"never\"\ninvocation_counter = 1001", everyTen, 5))
				later(45 * time.Second)
				p.Stop()
				require.Equal(t, 4*5, requireTrue(t, p.acc))
				require.Equal(t, []string{"success", "refused", "success", "success", "success"}, p.acc.results())
				require.Len(t, p.log.at("W! "), 1, "and no word of a counter that is nearly used up")
				require.Contains(t, p.log.at("W! ")[0], "without proving that it is the meter: this is not followed; if it is so, set invocation_counter")
				require.Len(t, p.acc.errors(), 1)
				require.Contains(t, p.acc.errors()[0], "invocation-counter-error")
				require.Zero(t, g.Counters().RepeatedCounters)
			})
		})
	}
}

// TestSecuredNeedsState: without a file that outlives the program nothing is
// sent with a key, and plain meters are read all the same.
func TestSecuredNeedsState(t *testing.T) {
	c := conf(hdlcTop, "name = \"plain\"\nendpoint = \"tcp://10.0.0.6:7000\"\n"+everyTen,
		"name = \"secured\"\n"+everyTen+strings.Replace(securedTop("hdlc"), hdlcTop, "", 1))
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		g := guard(t, "hdlc", nil)
		n.set("", &host{meter: g.Meter})
		require.NoError(t, d.Start(acc))
		later(45 * time.Second)
		require.Len(t, acc.values("meter", "plain"), 5)
		require.Empty(t, acc.values("meter", "secured"))
		require.Len(t, acc.errors(), 1)
		require.Contains(t, acc.errors()[0], "set state_dir to a directory that can be written to")
		require.Zero(t, g.left(1))
		require.Zero(t, g.Counters().Ciphered)
	})
}

// TestSecuredMistakes are told when the configuration is read.
func TestSecuredMistakes(t *testing.T) {
	const gmac = "client_address = 1\nauthentication = \"high-gmac\"\n"
	const first = "encryption_key = \"" + securedKey + "\"\n"
	const both = first + "authentication_key = \"" + securedAuth + "\"\n"
	const needed = `request "r": authentication_key: it is needed beside encryption_key here`
	digits := func(key, have string) string {
		return `request "r": ` + key + ": a key of security suite 0 has 32 hexadecimal digits; this has " + have + " characters"
	}
	for _, c := range []mistake{
		{name: "short key", request: gmac + strings.Replace(both, securedKey, securedKey[:30], 1), message: digits("encryption_key", "30")},
		{name: "long second key", request: gmac + strings.Replace(both, securedAuth, securedAuth+"00", 1), message: digits("authentication_key", "34")},
		{name: "key of other letters", request: gmac + strings.Replace(both, securedKey, "x"+securedKey[1:], 1), message: `request "r": encryption_key: a key of security suite 0 has 32 hexadecimal digits; not all of these 32 characters are`},
		{name: "second key alone", request: gmac + strings.TrimPrefix(both, first), message: `request "r": encryption_key: authentication = "high-gmac" needs it, and authentication_key`},
		{name: "second key alone for messages", request: "security = \"authentication\"\n" + strings.TrimPrefix(both, first), message: `request "r": encryption_key: security = "authentication" needs it`},
		{name: "GMAC with password", request: gmac + both + "password = \"12345678\"", message: `request "r": password: authentication = "high-gmac" has no password, it uses the keys: remove the password`},
		{name: "authentication without its key", request: "security = \"authentication\"\n" + first, message: needed},
		{name: "both without the second key", request: "security = \"authentication+encryption\"\n" + first, message: needed},
		{name: "GMAC with encryption alone", request: gmac + "security = \"encryption\"\n" + first, message: needed},
		{name: "GMAC in the clear", request: gmac + "security = \"none\"\n" + first, message: needed},
		{name: "GMAC without client", request: "authentication = \"high-gmac\"\n" + both, message: `request "r": client_address: authentication = "high-gmac" needs it: ` + usualClients},
		{name: "another suite", request: gmac + both + "security_suite = 3", message: `request "r": security_suite = 3: out of range: 0 to 2 is allowed`},
		{name: "ciphering unknown", request: gmac + both + "ciphering = \"dedicated\"", message: `request "r": ciphering = "dedicated": allowed are "auto", "service", "general", "identified", "wrapped", "agreed-one-pass" and "agreed-static"`},
		{name: "counter that is no number", request: gmac + both + "invocation_counter = \"auto\"", message: `request "r": invocation_counter = auto: out of range: 0 to 4294967295 is allowed`},
		{name: "own title too long", request: gmac + both + "system_title = \"4D4D4D0000BC614E00\"", message: `request "r": system_title = "4D4D4D0000BC614E00": a system title has 16 hexadecimal digits: three letters of the maker as 6, and 10 of the device`},
		{name: "counter without key", request: "invocation_counter = 1", message: `request "r": invocation_counter: without encryption_key it has no effect: set that, or remove it`},
		{name: "ciphering without key", request: "ciphering = \"general\"", message: `request "r": ciphering: without encryption_key it has no effect: set that, or remove it`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := decodeConf(t, conf(top, "name = \"r\"\n"+c.request)).Init()
			require.Error(t, err)
			all := configErrors(err)
			require.Len(t, all, 1, "%v", err)
			require.NotContains(t, err.Error(), securedKey[:30])
			require.NotContains(t, err.Error(), securedAuth)
			require.Equal(t, c.message, all[0].Error())
		})
	}
}
