package dlms_cosem

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const everyTen = "method = \"polling\"\ninterval = \"10s\""

// TestAnotherMeter has the meter replaced between two runs, and its firmware:
// not one value is made by what was known before.
func TestAnotherMeter(t *testing.T) {
	for name, becomes := range map[string]func(c *changing){
		"name":               func(c *changing) { c.name = "METER2" },
		"firmware":           func(c *changing) { c.firmware = "v2" },
		"name and class":     func(c *changing) { c.name, c.class = "METER2", cosem.ExtendedRegister },
		"no name any more":   func(c *changing) { c.name = "" },
		"class learned gone": func(c *changing) { c.name, c.class = "METER2", cosem.Data },
	} {
		for _, keep := range []string{"auto", "never"} {
			t.Run(name+"/"+keep, func(t *testing.T) {
				bubble(t, registersConf(hdlcTop+"\nkeep_open = \""+keep+"\"", everyTen, 20), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
					o := newChanging("METER1", -1)
					n.set("", &host{meter: newMeter("hdlc", o)})
					require.NoError(t, d.Start(acc))
					later(35 * time.Second)
					require.Equal(t, 80, requireTrue(t, acc))
					n.cut() // it has to be taken off the line to be replaced
					o.change(func(c *changing) { c.scaler = 1; becomes(c) })
					later(100 * time.Second)
					if name == "class learned gone" {
						require.Equal(t, 80, len(acc.values("unit", "Wh")), "Data has no unit")
						return
					}
					require.Equal(t, 80+200, requireTrue(t, acc))
					require.Empty(t, acc.errors())
					require.Empty(t, j.at("W! "))
				})
			})
		}
	}
}

// TestChangedScaler has all scalers change in a meter that stays the same and
// keeps its association: the next numbers are too far off to be believed.
func TestChangedScaler(t *testing.T) {
	for _, scaler := range []int8{-3, -2, 0, 1, 2} {
		t.Run(fmt.Sprint(scaler), func(t *testing.T) {
			bubble(t, registersConf(hdlcTop, everyTen, 20), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
				o := newChanging("METER1", -1)
				m := newMeter("hdlc", o)
				n.set("", &host{meter: m})
				require.NoError(t, d.Start(acc))
				later(35 * time.Second)
				o.change(func(c *changing) { c.scaler = scaler })
				later(60 * time.Second)
				require.Equal(t, 200, requireTrue(t, acc))
				require.Equal(t, 1, m.Counters().Associations)
				require.Len(t, j.at("W! "), 1)
				require.Contains(t, j.at("W! ")[0], "are not what they were")
			})
		})
	}
}

// TestNeverAWrongValue has a meter suffer everything at random, for days.
func TestNeverAWrongValue(t *testing.T) {
	for seed := range uint64(8) {
		framing := []string{"hdlc", "wrapper"}[seed%2]
		keep := []string{"auto", "always", "never", "auto"}[seed%4]
		top := strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nkeep_open = \"" + keep + "\""
		bubble(t, registersConf(top, everyTen, 7), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			random := rand.New(rand.NewPCG(seed, 7))
			o := newChanging("METER0", 0)
			n.set("", &host{meter: newMeter(framing, o)})
			require.NoError(t, d.Start(acc))
			for i := range 300 {
				later(time.Duration(random.IntN(60000)) * time.Millisecond)
				switch random.IntN(5) {
				case 0:
					n.cut()
				case 1: // another meter
					n.cut()
					o.change(func(c *changing) {
						c.name, c.scaler = fmt.Sprintf("METER%d", i), int8(random.IntN(7)-3)
						c.class = []cosem.ClassID{cosem.Register, cosem.ExtendedRegister}[random.IntN(2)]
					})
				case 2:
					n.cut()
					o.change(func(c *changing) { c.firmware, c.scaler = fmt.Sprintf("v%d", i), int8(random.IntN(7)-3) })
				case 3: // while the association goes on
					o.change(func(c *changing) { c.scaler = int8(random.IntN(7) - 3) })
				default: // off for a while
					h := &host{meter: newMeter(framing, o)}
					n.set("", nil)
					n.cut()
					later(time.Duration(random.IntN(100)) * time.Second)
					n.set("", h)
				}
			}
			require.Greater(t, requireTrue(t, acc), 1000)
		})
	}
}

// TestNameless: the scalers of a meter that tells nobody who it is are read
// anew each day.
func TestNameless(t *testing.T) {
	bubble(t, registersConf(hdlcTop, "method = \"polling\"\ninterval = \"1h\"", 2), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		o := newChanging("", -1)
		o.firmware = ""
		n.set("", &host{meter: newMeter("hdlc", o)})
		require.NoError(t, d.Start(acc))
		later(47*time.Hour + time.Minute)
		require.Equal(t, 96, requireTrue(t, acc))
		require.Equal(t, 2, o.asked[nameAttribute()], "what was refused is asked for once a day")
		require.InDelta(t, 2+24, o.times(cosem.Register, 0, 3), 2, "once a day, and every other run in rotation")
	})
}

// TestLearnedClass: the class that an object has is found once.
func TestLearnedClass(t *testing.T) {
	bubble(t, registersConf(hdlcTop, everyTen, 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		o := newChanging("METER1", -1)
		o.class = cosem.ExtendedRegister
		n.set("", &host{meter: newMeter("hdlc", o)})
		require.NoError(t, d.Start(acc))
		later(95 * time.Second)
		require.Equal(t, 30, requireTrue(t, acc))
		require.Equal(t, 1, o.times(cosem.Register, 1, 2))
		require.Equal(t, 10, o.times(cosem.ExtendedRegister, 1, 2))
		for _, p := range acc.values() {
			require.Equal(t, "4", p.tags["class"])
		}
	})
}

// TestRefusedForGood: what a meter does not have is asked for once a day.
func TestRefusedForGood(t *testing.T) {
	value := cosem.Attribute{Class: cosem.Register, Instance: [6]byte{1, 0, 1, 8, 1, 255}, ID: 2}
	scaler := cosem.Attribute{Class: cosem.Register, Instance: [6]byte{1, 0, 1, 8, 2, 255}, ID: 3}
	bubble(t, registersConf(hdlcTop, "method = \"polling\"\ninterval = \"10m\"", 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		o := newChanging("METER1", -1)
		o.refuse[value], o.refuse[scaler] = xdlms.ObjectUndefined, xdlms.ReadWriteDenied
		n.set("", &host{meter: newMeter("hdlc", o)})
		require.NoError(t, d.Start(acc))
		later(24*time.Hour - time.Minute)
		require.Equal(t, 144, requireTrue(t, acc))
		require.Equal(t, 1, o.times(cosem.Register, 1, 2))
		require.Equal(t, 1, o.times(cosem.Data, 1, 2), "the last class of the ladder")
		require.Equal(t, 1, o.times(cosem.Register, 2, 3))
		require.Equal(t, 1, o.times(cosem.Register, 2, 2), "nothing comes of a value without its scaler")
		for _, n := range statuses(acc, "items_failed") {
			require.Equal(t, int64(2), n)
		}
		require.Len(t, acc.errors(), 2, "%q", acc.errors())
		o.change(func(c *changing) { clear(c.refuse) })
		later(time.Hour)
		require.Len(t, acc.values("name", "v1"), 6, "asked again after a day")
		require.Len(t, acc.values("name", "v2"), 6)
		requireTrue(t, acc)
	})
}

// shelf is a state that a test can look into.
type shelf struct {
	mu    sync.Mutex
	kept  map[string]string
	saves int
	err   error
}

func (s *shelf) Load(bucket, key string, v any) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.kept[bucket+"/"+key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal([]byte(text), v)
}

func (s *shelf) Save(bucket, key string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	b, err := json.Marshal(v)
	s.kept[bucket+"/"+key] = string(b)
	s.saves++
	return err
}

// TestMemoryKeepsAll writes and reads back all that is learned.
func TestMemoryKeepsAll(t *testing.T) {
	seconds := 90
	at := cosem.Attribute{Class: cosem.Register, Instance: [6]byte{1, 0, 1, 8, 0, 255}, ID: 3}
	k := &shelf{kept: map[string]string{}}
	m := newMemory("here")
	require.NoError(t, m.load(k))
	m.learned = learned{Name: "4d31", Firmware: "7631", Inactivity: &seconds, ScalersAt: time.Unix(1, 0).UTC(),
		Scalers: map[attributeKey]cosem.ScalerUnit{attributeKey(at): {Scaler: -3, Unit: 30}},
		Classes: map[attributeKey]cosem.ClassID{attributeKey(at): 4}, Untold: map[attributeKey]time.Time{attributeKey(at): time.Unix(3, 0).UTC()},
		Link: dlms.Learned{MaxInfo: 64, SNRM: dlms.SNRMPlain, ListMax: 5}, LinkAt: time.Unix(2, 0).UTC(), Inverted: true}
	m.changed()
	require.NoError(t, m.save(k))
	require.NoError(t, m.save(k))
	require.Equal(t, 1, k.saves, "only what has changed")
	back := newMemory("here")
	require.NoError(t, back.load(k))
	require.Equal(t, m.learned, back.learned)

	for _, text := range []string{`{"scalers":{"3/1.0.1.8.0.255":{}}}`, `{"classes":{"x/1.0.1.8.0.255/2":3}}`, `{"classes":{"3/1.0.x/2":3}}`, `{"classes":{"3/1.0.1.8.0.255/200":3}}`, `[]`} {
		k.kept[metersBucket+"/here"] = text
		m := newMemory("here")
		require.Error(t, m.load(k), text)
		require.Empty(t, m.Scalers, text)
		require.NotNil(t, m.Classes)
	}
	k.err = errors.New("full")
	m.changed()
	require.ErrorContains(t, m.save(k), "full")
	require.NoError(t, m.save(k), "said once")
	k.err = nil
	require.NoError(t, m.save(k))
	require.Equal(t, 2, k.saves)
}

// TestLimitsRecover: what a meter did not manage is tried again after a day.
func TestLimitsRecover(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := newMemory("")
	m.learnLink(dlms.Learned{ListMax: 5, MaxInfo: 64}, now)
	m.age(now.Add(23 * time.Hour))
	require.Equal(t, 5, m.Link.ListMax)
	m.age(now.Add(25 * time.Hour))
	require.Equal(t, dlms.Learned{ListMax: 10, MaxInfo: 128}, m.Link)
	m.age(now.Add(26 * time.Hour))
	require.Equal(t, 10, m.Link.ListMax)
}

// TestProposals: a meter that does not agree to the usual is proposed less, and
// what it agrees to is kept.
func TestProposals(t *testing.T) {
	for name, tt := range map[string]struct {
		code   byte
		agrees func(q xdlms.InitiateRequest) bool
		aarqs  int
	}{
		"no limit of PDUs": {3, func(q xdlms.InitiateRequest) bool { return q.MaxPDU == 0 }, 2},
		"small PDUs":       {3, func(q xdlms.InitiateRequest) bool { return q.MaxPDU == 128 }, 4},
		"few services":     {2, func(q xdlms.InitiateRequest) bool { return !q.Conformance.Has(xdlms.ConformanceMultipleReferences) }, 2},
	} {
		for _, framing := range []string{"hdlc", "wrapper"} {
			t.Run(name+"/"+framing, func(t *testing.T) {
				top := strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nkeep_open = \"never\""
				bubble(t, registersConf(top, everyTen, 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
					var mu sync.Mutex
					aarqs := 0
					refuse := func(apdu []byte) ([]byte, bool) {
						if apdu[0] != byte(xdlms.TagAARQ) {
							return nil, false
						}
						mu.Lock()
						defer mu.Unlock()
						aarqs++
						i := strings.Index(string(apdu), "\xBE\x10\x04\x0E") + 4
						q, err := xdlms.ParseInitiateRequest(apdu[i:])
						if err != nil || tt.agrees(q) {
							return nil, false
						}
						return []byte{0x0E, 0x01, 0x06, tt.code}, true
					}
					m := dlmstest.NewMeter(dlmstest.Config{Framing: framing, Faults: &dlmstest.Faults{Raw: refuse}}, newChanging("METER1", 0))
					n.set("", &host{meter: m})
					require.NoError(t, d.Start(acc))
					later(55 * time.Second)
					require.Equal(t, 6*3, requireTrue(t, acc), "%q", acc.errors())
					require.Equal(t, tt.aarqs+5, aarqs, "then the first one is agreed to")
					require.Empty(t, acc.errors())
				})
			})
		}
	}
	// One that agrees to nothing is asked a few times per attempt, not for ever.
	bubble(t, registersConf(hdlcTop, everyTen, 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		aarqs := 0
		m := dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc", Faults: &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
			if apdu[0] != byte(xdlms.TagAARQ) {
				return nil, false
			}
			aarqs++
			return []byte{0x0E, 0x01, 0x06, 0x03}, true
		}}}, newChanging("METER1", 0))
		n.set("", &host{meter: m})
		require.NoError(t, d.Start(acc))
		later(time.Second)
		require.Equal(t, []string{"refused"}, acc.results())
		require.Equal(t, 4, aarqs)
	})
}

// TestLateAnswers has answers come after their time, into the next request:
// they are nobody's.
func TestLateAnswers(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, keep := range []string{"auto", "always", "never"} {
			t.Run(framing+"/"+keep, func(t *testing.T) {
				top := strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nkeep_open = \"" + keep + "\"\nretries = 0"
				bubble(t, registersConf(top, everyTen, 5), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
					o := newChanging("METER1", 0)
					m := dlmstest.NewMeter(dlmstest.Config{Framing: framing, Faults: &dlmstest.Faults{LateAnswers: 4, LateBy: 5100 * time.Millisecond}}, o)
					n.set("", &host{meter: m})
					require.NoError(t, d.Start(acc))
					later(2 * time.Hour)
					require.Greater(t, requireTrue(t, acc), 5*500)
					results := acc.results()
					require.Equal(t, "success", results[len(results)-1])
				})
			})
		}
	}
}

// TestLimitsRecoverWhileKept: an association that stays open for days does not
// hold on to a limit that has been given another try.
func TestLimitsRecoverWhileKept(t *testing.T) {
	every := everyTen
	if raceEnabled { // a third of the runs
		every = "method = \"polling\"\ninterval = \"30s\""
	}
	bubble(t, registersConf(hdlcTop, every, 8), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		longest := 4
		var mu sync.Mutex
		cfg := dlmstest.Config{Framing: "hdlc", Faults: &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
			mu.Lock()
			defer mu.Unlock()
			q, err := xdlms.ParseGetRequest(apdu)
			return []byte{0xD8, 0x01, 0x01}, err == nil && len(q.Attributes) > longest
		}}}
		n.set("", &host{meter: dlmstest.NewMeter(cfg, newChanging("METER1", 0))})
		require.NoError(t, d.Start(acc))
		later(time.Hour)
		m := d.links[0].queue[0].list[0].memory
		require.NotZero(t, m.Link.ListMax)
		require.LessOrEqual(t, m.Link.ListMax, 4)
		mu.Lock()
		longest = 127
		mu.Unlock()
		later(3*24*time.Hour + time.Hour)
		require.Greater(t, m.Link.ListMax, 9, "all of a run fits one list again")
		trips := statuses(acc, "round_trips")
		require.Equal(t, int64(1), trips[len(trips)-1])
		requireTrue(t, acc)
	})
}

// TestLimitsEnd: a limit that is no limit any more is forgotten.
func TestLimitsEnd(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := newMemory("")
	m.learnLink(dlms.Learned{ListMax: 1, MaxInfo: 64}, now)
	for range 12 {
		now = now.Add(25 * time.Hour)
		m.age(now)
	}
	require.Zero(t, m.Link)
}

// TestRotationOverRestarts: a program that is started for each run does not look
// at the same scaler every time.
func TestRotationOverRestarts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		o := newChanging("METER1", -1)
		n.set("", &host{meter: newMeter("hdlc", o)})
		for range 41 {
			oneRun(t, dir, n)
		}
		again := 0
		for k := range 20 {
			if o.times(cosem.Register, k, 3) > 1 {
				again++
			}
		}
		require.Greater(t, again, 5, "of 20 scalers, in 40 runs")
	})
}
