package dlms_cosem

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// nonces are the invocation counters that have come with a key, to whichever
// meter.
type nonces struct {
	mu    sync.Mutex
	seen  map[string]bool
	total int
}

// watch has a meter tell the counters that it gets.
func (x *nonces) watch(f dlmstest.Faults) *dlmstest.Faults {
	f.Raw = func(apdu []byte) ([]byte, bool) {
		if q, err := acse.ParseAARQ(apdu); err == nil {
			apdu = q.UserInformation
		}
		if c, _, err := xdlms.CutCiphered(apdu); err == nil {
			n, _ := security.Counter(c.Protected)
			x.mu.Lock()
			defer x.mu.Unlock()
			if x.total++; x.seen == nil {
				x.seen = map[string]bool{}
			}
			x.seen[fmt.Sprint(n)] = true
		}
		return nil, false
	}
	return &f
}

// TestSecuredSeries: meters with the same keys, read at the same time, get no
// counter that another has got, and each is asked once what it expects.
func TestSecuredSeries(t *testing.T) {
	for _, keep := range []string{"auto", "never"} {
		t.Run(keep, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				var x nonces
				var meters []*guarded
				requests := []string{securedTop("wrapper") + "\nkeep_open = \"" + keep + "\""}
				for i, counter := range []uint32{1000, 1010, 3, 50000, 1020, 5} {
					g := guard(t, "wrapper", func(c *dlmstest.Config) { c.ClientCounter, c.Faults = counter, x.watch(dlmstest.Faults{}) })
					endpoint := fmt.Sprintf("tcp://10.0.1.%d:7000", i)
					n.set(endpoint, &host{meter: g.Meter})
					meters = append(meters, g)
					requests = append(requests, fmt.Sprintf("name = \"m%d\"\nendpoint = %q\n%s", i, endpoint, everyTen))
				}
				for range 2 {
					p := startProgram(t, n, dir, conf(requests[0], requests[1:]...))
					later(65 * time.Second)
					p.Stop()
					require.Empty(t, p.acc.errors())
					require.Empty(t, p.log.at("W! "))
					require.Len(t, p.acc.values(), 7*len(meters))
				}
				for _, g := range meters {
					require.Equal(t, 1, g.left(16))
					require.Zero(t, g.Counters().RepeatedCounters)
				}
				require.Greater(t, x.total, 100)
				require.Len(t, x.seen, x.total, "no counter came twice")
			})
		})
	}
}

// TestSecuredClients: so do the clients of a meter, and the meters on a line.
func TestSecuredClients(t *testing.T) {
	for name, top := range map[string]string{"clients": "", "line": "physical_address = [17, 18]\n"} {
		for _, title := range []string{"", "system_title = \"5447440123456789\"\n"} {
			t.Run(name+title, func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := guard(t, "hdlc", func(c *dlmstest.Config) {
						c.Clients[2] = c.Clients[1]
						if top != "" {
							c.PhysicalAddresses = []uint16{17, 18}
						}
					})
					n.set("", &host{meter: g.Meter})
					requests := []string{"name = \"a\"\n" + everyTen}
					if top == "" {
						requests = append(requests, "name = \"b\"\nclient_address = 2\n"+everyTen)
					}
					for range 2 {
						p := startProgram(t, n, dir, conf(securedTop("hdlc")+"\n"+top+title, requests...))
						later(45 * time.Second)
						p.Stop()
						require.Empty(t, p.acc.errors())
						require.Empty(t, p.log.at("W! "))
						require.Len(t, p.acc.values(), 10)
					}
					require.Zero(t, g.Counters().RepeatedCounters, "the meter counts by key and title too")
					require.Equal(t, 2, g.left(16), "it is asked once as each")
				})
			})
		}
	}
}

// TestSecuredSilentMeter: a meter that does not tell its counter is tried with
// what is known from others with the same key, and followed if it wants more.
func TestSecuredSilentMeter(t *testing.T) {
	for counter, warnings := range map[uint32]int{0: 0, 9000: 1} {
		inFold(t, func(t *testing.T, n *network, dir string) {
			telling := guard(t, "wrapper", nil)
			silent := guard(t, "wrapper", func(c *dlmstest.Config) {
				delete(c.Clients, 16)
				c.ClientCounter, c.CounterException = counter, true
			})
			n.set("", &host{meter: telling.Meter})
			n.set("tcp://10.0.0.6:7000", &host{meter: silent.Meter})
			const a, b = "name = \"a\"\n" + everyTen, "name = \"b\"\nendpoint = \"tcp://10.0.0.6:7000\"\n" + everyTen
			p := startProgram(t, n, dir, conf(securedTop("wrapper"), a))
			later(5 * time.Second)
			p.Stop()
			p = startProgram(t, n, dir, conf(securedTop("wrapper")+"\nkeep_open = \"never\"", a, b))
			later(45 * time.Second)
			p.Stop()
			require.Empty(t, p.acc.errors())
			require.Len(t, p.acc.values("meter", "a"), 5)
			require.Len(t, p.acc.values("meter", "b"), 5)
			require.Len(t, p.log.at("W! "), warnings)
			require.Equal(t, 1, telling.left(16))
			require.Equal(t, 1, silent.Counters().Rejections-warnings, "the public client is refused once")
		})
	}
}

// TestSecuredUnopened: a meter that only says that it cannot open a login is
// asked for its counter, once in a run: if that is what is wrong, it is raised.
func TestSecuredUnopened(t *testing.T) {
	exception := refusing(1, []byte{0xD8, 1, 5})
	for name, faults := range map[string]*dlmstest.Faults{"refusal": nil, "exception": exception.faults(dlmstest.Faults{})} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				g := guard(t, "hdlc", func(c *dlmstest.Config) { c.Faults = faults })
				n.set("", &host{meter: g.Meter})
				p := startProgram(t, n, dir, registersConf(securedTop("hdlc")+"\nkeep_open = \"never\"\ninvocation_counter = 7", everyTen, 5))
				later(45 * time.Second)
				p.Stop()
				require.Empty(t, p.acc.errors())
				require.Equal(t, 5*5, requireTrue(t, p.acc))
				require.Len(t, p.log.at("W! "), 1)
				require.Contains(t, p.log.at("W! ")[0], "at least 1001: it is raised")
				require.Equal(t, 1, g.left(16))
			})
		})
	}
}

// TestSecuredUnopenedForEver: else the error stays, and the counter.
func TestSecuredUnopenedForEver(t *testing.T) {
	for name, faults := range map[string]dlmstest.Faults{"counter is right": {}, "implausible": {HighCounters: -1}} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				l := &logins{answer: func(int32) []byte { return []byte{0xD8, 1, 5} }}
				g := guard(t, "wrapper", func(c *dlmstest.Config) { c.Faults = l.faults(faults) })
				n.set("", &host{meter: g.Meter})
				p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\ninvocation_counter = 5000", everyTen, 5))
				later(5 * time.Second)
				p.Stop()
				require.Equal(t, int32(1), l.seen.Load())
				require.Equal(t, 1, g.left(16))
				require.Len(t, p.acc.errors(), 1)
				require.Contains(t, p.acc.errors()[0], "deciphering-error")
				require.Contains(t, p.acc.errors()[0], "check encryption_key, authentication_key and invocation_counter")
			})
		})
	}
}

// TestSecuredCounterNames: in short-name referencing the object list tells where
// the counter is.
func TestSecuredCounterNames(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		inFold(t, func(t *testing.T, n *network, dir string) {
			g := guard(t, framing, func(c *dlmstest.Config) { c.ShortNames = true })
			n.set("", &host{meter: g.Meter})
			p := startProgram(t, n, dir, registersConf(securedTop(framing)+"\nreferencing = \"sn\"", everyTen, 5))
			later(45 * time.Second)
			p.Stop()
			require.Empty(t, p.acc.errors())
			require.Equal(t, 5*5, requireTrue(t, p.acc))
			require.Equal(t, 1, g.left(16))
			require.Zero(t, g.Counters().RepeatedCounters)
		})
	}
}

// TestSecuredCounterEnds: that a counter comes to its end is said once, and in
// words.
func TestSecuredCounterEnds(t *testing.T) {
	for start, failures := range map[string]int{"4294900000": 0, "4294967285": 1} {
		inFold(t, func(t *testing.T, n *network, dir string) {
			g := guard(t, "wrapper", nil)
			n.set("", &host{meter: g.Meter})
			p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\nkeep_open = \"never\"\ninvocation_counter = "+start, everyTen, 5))
			later(2 * time.Minute)
			p.Stop()
			require.Len(t, p.log.at("W! "), 1)
			require.Contains(t, p.log.at("W! ")[0], "values are left; the meter needs new keys")
			require.Len(t, p.acc.errors(), failures)
			for _, s := range p.acc.errors() {
				require.Contains(t, s, "invocation counter: it is used up")
				require.Contains(t, s, "ask the utility for new keys")
				require.NotContains(t, s, "544744", "the id of the counter begins with our title")
			}
			require.Zero(t, g.Counters().RepeatedCounters)
		})
	}
}

// TestSecuredNotShared: a request does not go on with the association of one
// that protects otherwise.
func TestSecuredNotShared(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		shared bool
	}{
		{"", "", true},
		{"security = \"none\"\n", "", false},
		{"security = \"encryption\"\n", "", false},
		{"ciphering = \"general\"\n", "ciphering = \"service\"\n", false},
		{"system_title = \"5447440123456789\"\n", "", false},
		{"server_system_title = \"4D4D4D0000BC614E\"\n", "", false},
	} {
		t.Run(c.a, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				g := guard(t, "hdlc", func(c *dlmstest.Config) {
					x := c.Clients[1]
					x.Policy = 0
					c.Clients[1] = x
				})
				n.set("", &host{meter: g.Meter})
				p := startProgram(t, n, dir, conf(securedTop("hdlc")+"\nkeep_open = \"always\"", "name = \"a\"\n"+c.a+everyTen, "name = \"b\"\n"+c.b+everyTen))
				later(45 * time.Second)
				p.Stop()
				require.Empty(t, p.acc.errors())
				require.Len(t, p.acc.values("meter", "a"), 5)
				require.Len(t, p.acc.values("meter", "b"), 5)
				if c.shared {
					require.Equal(t, 1, g.Counters().Authentications)
				} else {
					require.GreaterOrEqual(t, g.Counters().Authentications, 5)
				}
			})
		})
	}
}

// TestSecuredFewServices: the proofs of both sides go by ACTION, however few
// services are proposed.
func TestSecuredFewServices(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		l := refusing(1, []byte{0x0E, 1, initiateError, incompatibleConformance})
		g := guard(t, "wrapper", func(c *dlmstest.Config) {
			c.Faults = l.faults(dlmstest.Faults{})
			x := c.Clients[1]
			x.Policy = 0
			c.Clients[1] = x
			answer := c.Faults.Raw
			c.Faults.Raw = func(apdu []byte) ([]byte, bool) {
				if q, err := acse.ParseAARQ(apdu); err == nil && q.Mechanism == acse.HLSGMAC {
					i, err := xdlms.ParseInitiateRequest(q.UserInformation)
					require.NoError(t, err)
					require.True(t, i.Conformance.Has(xdlms.ConformanceAction))
				}
				return answer(apdu)
			}
		})
		n.set("", &host{meter: g.Meter})
		p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\nsecurity = \"none\"", everyTen, 5))
		later(15 * time.Second)
		p.Stop()
		require.Empty(t, p.acc.errors())
		require.Equal(t, 2*5, requireTrue(t, p.acc))
		require.Equal(t, int32(2), l.seen.Load())
	})
}

// TestSecuredKeyFile: a key that cannot be read while the program runs is told
// by its name.
func TestSecuredKeyFile(t *testing.T) {
	for name, key := range map[string]string{"encryption_key": securedKey, "authentication_key": securedAuth} {
		inFold(t, func(t *testing.T, n *network, dir string) {
			file := filepath.Join(dir, "key")
			require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
			g := guard(t, "wrapper", nil)
			n.set("", &host{meter: g.Meter})
			p := startProgram(t, n, dir, registersConf(strings.Replace(securedTop("wrapper"), key, "file:"+file, 1), everyTen, 5))
			later(5 * time.Second)
			require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
			later(10 * time.Second)
			p.Stop()
			require.Equal(t, []string{"success", "auth"}, p.acc.results())
			require.Len(t, p.acc.errors(), 1)
			require.Contains(t, p.acc.errors()[0], ": "+name+": a key of security suite 0 has 32 hexadecimal digits; this has 3 characters: no login is tried without it")
			require.NotContains(t, p.acc.errors()[0], "password")
		})
	}
}
