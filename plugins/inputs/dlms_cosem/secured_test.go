package dlms_cosem

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

const (
	securedKey  = "3C8F1A94E7D2560B7A41C9F3088E6D25"
	securedAuth = "B1D94E07635AF82C19E04D7B9CA3865F"
	bothLayers  = security.Authenticated | security.Encrypted
)

// securedTop is a meter that is read with everything that suite 0 has.
func securedTop(framing string) string {
	return strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nclient_address = 1\nauthentication = \"high-gmac\"\n" +
		"encryption_key = \"" + securedKey + "\"\nauthentication_key = \"" + securedAuth + "\""
}

// guarded is a meter with a secured client, and who has left it.
type guarded struct {
	*dlmstest.Meter
	mu       sync.Mutex
	released map[uint16]int
}

func (g *guarded) left(client uint16) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.released[client]
}

func hexOf(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return b
}

// guard makes a meter whose client 1 has to cipher. Its client 16 is public.
func guard(t *testing.T, framing string, change func(c *dlmstest.Config)) *guarded {
	t.Helper()
	g := &guarded{released: map[uint16]int{}}
	keys := security.Keys{EncryptionKey: hexOf(t, securedKey), AuthenticationKey: hexOf(t, securedAuth)}
	c := dlmstest.Config{
		Framing: framing, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, ClientCounter: 1000,
		Clients: map[uint16]dlmstest.Client{16: {}, 1: {Mechanism: acse.HLSGMAC, Keys: keys, Policy: bothLayers}},
		OnRelease: func(client uint16) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.released[client]++
		},
	}
	if change != nil {
		change(&c)
	}
	g.Meter = dlmstest.NewMeter(c, newChanging("METER1", -1))
	return g
}

// program is one run of the program, with its state in a directory.
type program struct {
	*DLMS
	acc *sink
	log *journal
}

func startProgram(t *testing.T, n *network, dir, configuration string) program {
	t.Helper()
	d, j := plugin(t, n, configuration)
	d.State, d.ConfigPath, d.StateDir = nil, "dlms.conf", dir
	require.NoError(t, d.Init())
	p := program{d, &sink{}, j}
	t.Cleanup(d.Stop)
	require.NoError(t, d.Start(p.acc))
	return p
}

// said is all that a program has told anybody.
func (p program) said() (list []string) {
	list = append(p.acc.errors(), p.log.at("")...)
	for _, m := range p.acc.all() {
		list = append(list, m.String())
	}
	return list
}

// inFold runs a test in which time passes at once, with a directory for the state.
func inFold(t *testing.T, test func(t *testing.T, n *network, dir string)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { test(t, newNetwork(t), dir) })
}

// TestSecuredCounter: the counter of a meter is read once, over a connection of
// its own; polls and later runs go on from there and use none twice.
func TestSecuredCounter(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, ciphering := range []string{"service", "general"} {
			for _, keep := range []string{"auto", "never"} {
				t.Run(framing+"/"+ciphering+"/"+keep, func(t *testing.T) {
					inFold(t, func(t *testing.T, n *network, dir string) {
						g := guard(t, framing, nil)
						n.set("", &host{meter: g.Meter})
						c := registersConf(securedTop(framing)+"\nkeep_open = \""+keep+"\"\nciphering = \""+ciphering+"\"", everyTen, 5)
						opened := 0
						for run := 1; run <= 3; run++ {
							p := startProgram(t, n, dir, c)
							later(45 * time.Second)
							p.Stop()
							require.Empty(t, p.acc.errors())
							require.Empty(t, p.log.at("W! "))
							require.Equal(t, 5*5, requireTrue(t, p.acc))
							if opened++; keep == "never" {
								opened += 4
							}
							require.Equal(t, 1, g.left(16), "the counter is read once, in the first run")
							require.Equal(t, opened, g.left(1))
							require.Equal(t, opened, g.Counters().Authentications)
							require.Equal(t, opened+1, n.dialed())
							require.Equal(t, opened+1, g.Counters().Associations)
							require.NotZero(t, g.Counters().Ciphered)
							require.Zero(t, g.Counters().RepeatedCounters)
							require.Zero(t, g.Counters().Rejections)
						}
					})
				})
			}
		}
	}
}

// TestSecuredCounterGiven: where the counter cannot be read the configuration
// says where it begins, once.
func TestSecuredCounterGiven(t *testing.T) {
	inFold(t, func(t *testing.T, n *network, dir string) {
		g := guard(t, "wrapper", func(c *dlmstest.Config) { delete(c.Clients, 16) })
		n.set("", &host{meter: g.Meter})
		p := startProgram(t, n, dir, registersConf(securedTop("wrapper"), everyTen, 5))
		later(5 * time.Second)
		p.Stop()
		require.Empty(t, p.acc.values())
		require.Len(t, p.acc.errors(), 1)
		require.Contains(t, p.acc.errors()[0], "invocation counter: it could not be read from the meter (0.0.43.1.0.255 as client 16)")
		require.Contains(t, p.acc.errors()[0], "set invocation_counter, or invocation_counter_obis")
		require.Zero(t, g.Counters().Associations)
		for range 2 {
			p = startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\ninvocation_counter = 1001", everyTen, 5))
			later(45 * time.Second)
			p.Stop()
			require.Empty(t, p.acc.errors())
			require.Equal(t, 5*5, requireTrue(t, p.acc))
			require.Zero(t, g.Counters().RepeatedCounters)
		}
		require.Equal(t, 2, g.Counters().Associations)
	})
}

// TestSecuredMatrix: every framing, referencing and protection.
func TestSecuredMatrix(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, referencing := range []string{"ln", "sn"} {
			for word, policy := range map[string]security.Control{
				"none": 0, "authentication": security.Authenticated, "encryption": security.Encrypted, "authentication+encryption": bothLayers,
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", framing, referencing, word), func(t *testing.T) {
					inFold(t, func(t *testing.T, n *network, dir string) {
						g := guard(t, framing, func(c *dlmstest.Config) {
							c.ShortNames = referencing == "sn"
							x := c.Clients[1]
							x.Policy = policy
							c.Clients[1] = x
						})
						n.set("", &host{meter: g.Meter})
						top := securedTop(framing) + "\ninvocation_counter = 1001\nreferencing = \"" + referencing + "\"\nsecurity = \"" + word + "\""
						p := startProgram(t, n, dir, registersConf(top, everyTen, 5))
						later(45 * time.Second)
						p.Stop()
						require.Empty(t, p.acc.errors())
						require.Equal(t, 5*5, requireTrue(t, p.acc))
						require.Equal(t, 1, g.Counters().Authentications)
						require.Zero(t, g.Counters().RepeatedCounters)
						require.Equal(t, policy == 0, g.Counters().Ciphered == 0)
					})
				})
			}
		}
	}
}

// TestSecuredShared: requests that reach a meter with the same key go on with
// the same counter, whoever of them has the connection.
func TestSecuredShared(t *testing.T) {
	for _, keep := range []string{"auto", "never", "always"} {
		for name, title := range map[string]string{"kept title": "", "given title": "system_title = \"5447440123456789\"\n"} {
			t.Run(keep+"/"+name, func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := guard(t, "hdlc", nil)
					n.set("", &host{meter: g.Meter})
					c := conf(securedTop("hdlc")+"\nkeep_open = \""+keep+"\"\n"+title, "name = \"a\"\n"+everyTen, "name = \"b\"\nmethod = \"polling\"\ninterval = \"7s\"")
					for range 2 {
						p := startProgram(t, n, dir, c)
						later(65 * time.Second)
						p.Stop()
						require.Empty(t, p.acc.errors())
						require.Len(t, p.acc.values("meter", "a"), 7)
						require.Len(t, p.acc.values("meter", "b"), 10)
						for _, v := range p.acc.values() {
							require.Equal(t, truth(0), v.fields["value"])
						}
					}
					require.Equal(t, 1, g.left(16))
					require.Zero(t, g.Counters().RepeatedCounters)
				})
			})
		}
	}
}

// requireUntold has no secret, as it is or in hexadecimal digits, in what a
// program has said or kept.
func requireUntold(t *testing.T, p program, dir string, secrets ...[]byte) {
	t.Helper()
	list := p.said()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		list = append(list, string(b))
	}
	for _, s := range list {
		for _, secret := range secrets {
			require.NotContains(t, s, string(secret))
			require.NotContains(t, s, fmt.Sprint(secret))
			require.NotContains(t, strings.ToLower(strings.ReplaceAll(s, " ", "")), hex.EncodeToString(secret))
		}
	}
}

// TestSecuredWrongKeys: a meter whose keys are wrong is left alone for a while,
// the others go on, and nothing that is said has a key in it.
func TestSecuredWrongKeys(t *testing.T) {
	const wrong = "C0FFEE0123456789ABCDEF5EC2E7C0DE"
	for name, key := range map[string]string{"encryption key": securedKey, "authentication key": securedAuth} {
		for _, word := range []string{"none", "authentication+encryption"} {
			t.Run(name+"/"+word, func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					policy := func(c *dlmstest.Config) {
						if word == "none" {
							x := c.Clients[1]
							x.Policy = 0
							c.Clients[1] = x
						}
					}
					bad, well := guard(t, "wrapper", policy), guard(t, "wrapper", policy)
					n.set("tcp://10.0.0.6:7000", &host{meter: bad.Meter})
					n.set("", &host{meter: well.Meter})
					keys := "encryption_key = \"" + securedKey + "\"\nauthentication_key = \"" + securedAuth + "\"\n"
					p := startProgram(t, n, dir, conf(securedTop("wrapper")+"\nsecurity = \""+word+"\"",
						"name = \"bad\"\nendpoint = \"tcp://10.0.0.6:7000\"\n"+strings.Replace(keys, key, wrong, 1)+everyTen, "name = \"well\"\n"+everyTen))
					later(10*time.Minute - time.Second)
					p.Stop()
					require.Len(t, p.acc.results("request", "bad"), 60)
					require.Equal(t, "auth", p.acc.results("request", "bad")[0])
					require.Equal(t, 1, bad.Counters().Rejections, "one attempt, then a pause of 15 minutes")
					require.Empty(t, p.acc.values("meter", "bad"))
					require.Len(t, p.acc.values("meter", "well"), 60)
					require.Len(t, p.acc.errors(), 1)
					require.Contains(t, p.acc.errors()[0], "encryption_key")
					require.Contains(t, p.acc.errors()[0], "authentication_key")
					requireUntold(t, p, dir, hexOf(t, wrong), hexOf(t, securedKey), hexOf(t, securedAuth))
				})
			})
		}
	}
}

// TestSecuredWrongSecret is the same for the mechanisms that have a secret.
func TestSecuredWrongSecret(t *testing.T) {
	const secret, wrong = "0p3n-s3sam3-0p3n", "0p3n-barl3y-0p3n"
	for word, mechanism := range map[string]acse.Mechanism{"high-md5": acse.HLSMD5, "high-sha1": acse.HLSSHA1, "high-sha256": acse.HLSSHA256} {
		t.Run(word, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				g := guard(t, "hdlc", func(c *dlmstest.Config) {
					c.Clients[1] = dlmstest.Client{Mechanism: mechanism, Secret: []byte(secret)}
				})
				n.set("", &host{meter: g.Meter})
				given := func(password string) string {
					return registersConf(hdlcTop+"\nclient_address = 1\nauthentication = \""+word+"\"\npassword = \""+password+"\"", everyTen, 5)
				}
				p := startProgram(t, n, dir, given(wrong))
				later(10*time.Minute - time.Second)
				p.Stop()
				require.Empty(t, p.acc.values())
				require.Len(t, p.acc.results(), 60)
				require.Equal(t, "auth", p.acc.results()[0])
				require.Equal(t, 1, g.Counters().Rejections)
				require.Contains(t, p.acc.errors()[0], "check the secret")
				requireUntold(t, p, dir, []byte(wrong))
				p = startProgram(t, n, dir, given(secret))
				later(45 * time.Second)
				p.Stop()
				require.Empty(t, p.acc.errors())
				require.Equal(t, 5*5, requireTrue(t, p.acc))
				requireUntold(t, p, dir, []byte(secret))
			})
		})
	}
}

// downgrades are ways in which an answer may be of somebody else, or lack what
// it must have, and what is said about it.
func downgrades() map[string]struct {
	faults           dlmstest.Faults
	ciphering, error string
} {
	type d = struct {
		faults           dlmstest.Faults
		ciphering, error string
	}
	return map[string]d{
		"plain":                    {dlmstest.Faults{PlainAnswers: 1}, "service", "the meter answers with a get-response that is not protected"},
		"plain, general":           {dlmstest.Faults{PlainAnswers: 1}, "general", "the meter answers with a get-response that is not protected"},
		"plain association":        {dlmstest.Faults{PlainAnswers: 1, FromAssociation: true}, "service", "the meter answers with a initiate-response that is not protected"},
		"wrong tag":                {dlmstest.Faults{WrongTags: 1}, "service", "the encryption key fits, but the tag does not"},
		"wrong tag, general":       {dlmstest.Faults{WrongTags: 1}, "general", "the encryption key fits, but the tag does not"},
		"repeated counter":         {dlmstest.Faults{RepeatedCounters: 1}, "service", "it was sent before: somebody sends messages of the meter once more, or its counter does not move; nothing of such an answer is used"},
		"wrong tag of association": {dlmstest.Faults{WrongTags: 1, FromAssociation: true}, "service", "the encryption key fits, but the tag does not"},
		"foreign title":            {dlmstest.Faults{ForeignTitles: 1}, "service", "what comes out is no APDU: the encryption key is not the meter's"},
		"foreign title, told":      {dlmstest.Faults{ForeignTitles: 1}, "general", "it comes from system title MMM 12345777 (4D4D4D0000BC61B1), the meter's is MMM 12345678 (4D4D4D0000BC614E)"},
		"wrong reply":              {dlmstest.Faults{WrongReplies: 1}, "service", "the meter has not proved that it has the secret: its answer to our challenge is wrong"},
	}
}

// TestSecuredDowngrade: of such an answer no value is made. What comes when it
// is over is right.
func TestSecuredDowngrade(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for name, c := range downgrades() {
			t.Run(framing+"/"+name, func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := guard(t, framing, func(m *dlmstest.Config) { m.Faults = &c.faults })
					n.set("", &host{meter: g.Meter})
					p := startProgram(t, n, dir, registersConf(securedTop(framing)+"\nciphering = \""+c.ciphering+"\"", everyTen, 5))
					later(5 * time.Second)
					require.Empty(t, p.acc.values())
					require.Len(t, p.acc.results(), 1)
					require.NotEqual(t, "success", p.acc.results()[0])
					require.Len(t, p.acc.errors(), 1)
					require.Contains(t, p.acc.errors()[0], c.error)
					later(20 * time.Minute)
					p.Stop()
					require.NotZero(t, requireTrue(t, p.acc))
					require.Equal(t, "success", p.acc.results()[len(p.acc.results())-1])
					require.Len(t, p.acc.errors(), 1)
					require.Zero(t, g.Counters().RepeatedCounters)
				})
			})
		}
	}
}

// TestSecuredDowngradeForEver: a meter that goes on like this gives no value,
// and is tried less often.
func TestSecuredDowngradeForEver(t *testing.T) {
	for name, c := range downgrades() {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				for _, count := range []*int{&c.faults.PlainAnswers, &c.faults.WrongTags, &c.faults.RepeatedCounters, &c.faults.ForeignTitles, &c.faults.WrongReplies} {
					*count = -*count
				}
				g := guard(t, "wrapper", func(m *dlmstest.Config) { m.Faults = &c.faults })
				n.set("", &host{meter: g.Meter})
				p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\nciphering = \""+c.ciphering+"\"", everyTen, 5))
				later(10*time.Minute - time.Second)
				p.Stop()
				require.Empty(t, p.acc.values())
				require.Len(t, p.acc.results(), 60)
				require.NotContains(t, p.acc.results(), "success")
				require.Less(t, len(attempts(runsOf(p.acc, time.Now()))), 10)
				require.Len(t, p.acc.errors(), 1, "the same trouble is told once")
				require.Contains(t, p.acc.errors()[0], c.error)
				require.Zero(t, g.Counters().RepeatedCounters)
			})
		})
	}
}

// TestSecuredOtherMeter: a meter that has another title than the one that was
// given is not read.
func TestSecuredOtherMeter(t *testing.T) {
	for given, well := range map[string]bool{"4D4D4D0000BC614E": true, "4D4D4D0000BC614F": false} {
		inFold(t, func(t *testing.T, n *network, dir string) {
			g := guard(t, "wrapper", nil)
			n.set("", &host{meter: g.Meter})
			p := startProgram(t, n, dir, registersConf(securedTop("wrapper")+"\nserver_system_title = \""+given+"\"", everyTen, 5))
			later(45 * time.Second)
			p.Stop()
			if well {
				require.Empty(t, p.acc.errors())
				require.Equal(t, 5*5, requireTrue(t, p.acc))
				return
			}
			require.Empty(t, p.acc.values())
			require.Contains(t, p.acc.errors()[0], "the meter's system title is MMM 12345678 (4D4D4D0000BC614E), MMM 12345679 (4D4D4D0000BC614F) was expected")
			require.Zero(t, g.Counters().Authentications)
			require.Equal(t, []string{"decrypt", "decrypt", "backoff"}, p.acc.results()[:3], "the meter has refused nobody")
		})
	}
}
