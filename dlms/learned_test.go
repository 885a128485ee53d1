package dlms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

var profileBuffer = cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}

// TestListMaxIsLearned: what a list that was not answered says is kept for the
// next Conn; damage on the line says nothing.
func TestListMaxIsLearned(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(q xdlms.GetRequest) []byte
		want int
	}{
		{"not supported", func(xdlms.GetRequest) []byte { return []byte{0xD8, 2, 2} }, 1},
		{"not allowed", func(xdlms.GetRequest) []byte { return []byte{0xD8, 1, 1} }, 4},
		{"service error", func(xdlms.GetRequest) []byte { return []byte{0x0E, 5, 3, 2} }, 4},
		{"single form", func(q xdlms.GetRequest) []byte { return xdlms.AppendGetResponseError(nil, q.InvokeID, 250) }, 4},
		{"short count", func(q xdlms.GetRequest) []byte { return list(q, 1, []byte{0, 0x11, 7}) }, 4},
		{"two silences", func(xdlms.GetRequest) []byte { return nil }, 2},
		{"more behind", func(q xdlms.GetRequest) []byte {
			return append(list(q, 1, []byte{0, 0x11, 7}), 1)
		}, 4},
		{"damaged", func(q xdlms.GetRequest) []byte { return list(q, 8, []byte{0, 0xFF, 7}) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sizes []int
				l := newLine(wrapperMeter(meterApp(allServices, 0, counting(&sizes, func(q xdlms.GetRequest) []byte {
					if q.Type == xdlms.GetWithList && len(q.Attributes) == 8 {
						return tt.list(q)
					}
					return values(q)
				}))))
				a := associated(t, l, wrapperConfig)
				ats := registers(8)
				got, err := listed(t, a, ats)
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
				require.Equal(t, tt.want, a.c.Learned().ListMax)
				if tt.want == 0 {
					return
				}
				cfg := wrapperConfig
				cfg.Learned = a.c.Learned()
				sizes = nil
				got, err = listed(t, associated(t, l, cfg), ats)
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
				for _, n := range sizes {
					require.Equal(t, tt.want, n)
				}
			})
		})
	}
}

// TestSilentListsOverHDLC: a meter that a list makes fall silent loses its link
// with it. Twice is no accident: the third time lists are shorter, and stay so
// if that helps.
func TestSilentListsOverHDLC(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dead := false
		m := &hdlcMeter{app: meterApp(allServices, 0, values)}
		m.frame = onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			q, err := xdlms.ParseGetRequest(f.Info[3:])
			require.NoError(t, err)
			if len(q.Attributes) > 3 || dead {
				m.vr, m.vs, dead = 7, 7, true // it does not answer polls either
				return true
			}
			m.handle(l, f)
			return true
		})
		l := newLine(func(l *line, message []byte) {
			f, _, err := hdlc.CutFrame(message)
			if err == nil && f.Control.Kind() == hdlc.SNRM {
				dead = false
			}
			if !dead {
				m.answer(l, message)
			}
		})
		cfg, ats := hdlcConfig, registers(10)
		c := dialled(t, l, cfg)
		for silences := 1; silences <= 2; silences++ {
			a, err := c.Associate(context.Background(), AssociationConfig{})
			require.NoError(t, err)
			_, err = listed(t, a, ats)
			require.Error(t, err)
			require.Equal(t, Learned{Silences: silences, SilentList: 10}, c.Learned())
		}
		cfg.Learned = c.Learned()
		c = dialled(t, l, cfg)
		a, err := c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		require.Equal(t, 2, a.ListSize())
		got, err := listed(t, a, ats)
		require.NoError(t, err)
		require.Equal(t, wantValues(ats), got)
		require.Equal(t, Learned{ListMax: 2}, c.Learned())
	})
}

// TestSilenceIsNotTheLists: a meter that does not answer single reads either
// teaches nothing.
func TestSilenceIsNotTheLists(t *testing.T) {
	for _, cfg := range []ConnConfig{hdlcConfig, wrapperConfig} {
		t.Run(cfg.Framing.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				mute := &dlmstest.Faults{IgnoreRequests: -1}
				framing := dlmstest.FramingHDLC
				if cfg.Framing == Wrapper {
					framing = dlmstest.FramingWrapper
				}
				c, _ := metered(t, dlmstest.Config{Framing: framing, Faults: mute}, cfg, fault.Plan{})
				for range 4 {
					a, err := c.Associate(context.Background(), AssociationConfig{})
					if err != nil {
						break
					}
					_, err = listed(t, a, registers(4))
					require.Error(t, err)
				}
				require.Zero(t, c.Learned().ListMax)
			})
		})
	}
}

func TestSNRMFormIsLearned(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults dlmstest.Faults
		form   SNRMForm // configured
		want   SNRMForm // learned
		fails  bool
	}{
		{"both answered", dlmstest.Faults{}, SNRMAuto, SNRMAuto, false},
		{"parameters ignored", dlmstest.Faults{IgnoreSNRMParameters: true}, SNRMAuto, SNRMPlain, false},
		{"parameters refused", dlmstest.Faults{DMOnSNRMParameters: true}, SNRMAuto, SNRMPlain, false},
		{"never", dlmstest.Faults{IgnoreSNRMParameters: true}, SNRMPlain, SNRMAuto, false},
		{"always", dlmstest.Faults{IgnoreSNRMParameters: true}, SNRMParameters, SNRMAuto, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := hdlcConfig
				cfg.SNRM = tt.form
				meter := dlmstest.Config{Framing: dlmstest.FramingHDLC, Faults: &tt.faults}
				c, _ := metered(t, meter, cfg, fault.Plan{})
				_, err := c.Associate(context.Background(), AssociationConfig{})
				require.Equal(t, tt.fails, err != nil, "%v", err)
				require.Equal(t, tt.want, c.Learned().SNRM)
				if tt.want == SNRMAuto {
					return
				}
				cfg.Learned = c.Learned()
				c, _ = metered(t, meter, cfg, fault.Plan{})
				start := time.Now()
				_, err = c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				require.Zero(t, time.Since(start), "the form that works is the first one tried")
				require.Equal(t, tt.want, c.Learned().SNRM, "and is not forgotten")
				require.Zero(t, c.Stats().Retries)
			})
		})
	}
}

// TestFramesStayShort: what damage has taught is proposed by the next Conn.
func TestFramesStayShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		damage := fault.Plan{}
		for n := 3; n < 12; n++ {
			damage.Read = append(damage.Read, fault.Fault{Message: n, Corrupt: []int{20}, Mask: 0x55})
		}
		meter := dlmstest.Config{Framing: dlmstest.FramingHDLC}
		c, _ := metered(t, meter, hdlcConfig, damage)
		a, err := c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		_, err = listed(t, a, registers(8))
		require.Error(t, err)
		require.Equal(t, Learned{MaxInfo: 128}, c.Learned())
		cfg := hdlcConfig
		cfg.Learned = c.Learned()
		c, _ = metered(t, meter, cfg, fault.Plan{})
		a, err = c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		require.Equal(t, 12, a.ListSize(), "12 items in 128 octets")
		require.Equal(t, 128, c.Learned().MaxInfo)
	})
}

// TestResume: an association that was idle is given up soon if it is dead.
func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  ConnConfig
		want time.Duration
	}{{"HDLC", hdlcConfig, 2*reply5 + goodbye}, {"wrapper", wrapperConfig, reply5}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				mute := false
				answer := wrapperMeter(meterApp(allServices, 0, values))
				if tt.cfg.Framing == HDLC {
					answer = (&hdlcMeter{app: meterApp(allServices, 0, values)}).answer
				}
				l := newLine(func(l *line, message []byte) {
					if !mute {
						answer(l, message)
					}
				})
				a := associated(t, l, tt.cfg)
				ats := registers(4)
				a.Resume()
				got, err := listed(t, a, ats)
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
				require.False(t, a.c.unproven)
				mute = true
				a.Resume()
				start := time.Now()
				_, err = listed(t, a, ats)
				require.Error(t, err)
				require.Error(t, a.Lost())
				require.Equal(t, tt.want, time.Since(start))
				require.Zero(t, a.c.Learned(), "it is not the list that the meter does not answer")
			})
		})
	}
}

// TestIdleEndings: what a meter does to an association that is idle shows as
// the loss of it with the next request, and nothing stale is taken for an answer.
func TestIdleEndings(t *testing.T) {
	late := func(l *line) { // an answer to nothing, and a disconnection
		l.say(0, wrapped(wrapper.Header{Source: 1, Destination: 16}, xdlms.AppendGetResponseNormal(nil, 0xC1, []byte{0x11, 99})))
	}
	for _, tt := range []struct {
		name string
		idle func(l *line)
		lost bool
	}{
		{"closed", func(l *line) { l.hangUp(0) }, true},
		{"late answer of before", late, false},
		{"noise", func(l *line) { l.say(0, []byte{0, 1, 0, 1, 0, 99, 0, 0}) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(wrapperMeter(meterApp(allServices, 0, values)))
				a := associated(t, l, wrapperConfig)
				requireValue(t, a, register(1, 1))
				tt.idle(l)
				a.Resume()
				ats := registers(4)
				got, err := listed(t, a, ats)
				if tt.lost {
					require.ErrorIs(t, err, io.EOF)
					require.Error(t, a.Lost())
					return
				}
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
			})
		})
	}
	for name, say := range map[string]func(m *hdlcMeter) []byte{
		"unasked DM":       func(m *hdlcMeter) []byte { return m.build(hdlc.Unnumbered(hdlc.DM, true), nil) },
		"answer of before": func(m *hdlcMeter) []byte { return m.last },
		"RR":               func(m *hdlcMeter) []byte { return m.rr() },
	} {
		t.Run("HDLC "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 0, values)}
				l := newLine(m.answer)
				a := associated(t, l, hdlcConfig)
				requireValue(t, a, register(1, 1))
				l.say(0, say(m))
				a.Resume()
				ats := registers(4)
				got, err := listed(t, a, ats)
				if name == "unasked DM" {
					var gone *DisconnectedError
					require.ErrorAs(t, err, &gone)
					require.Error(t, a.Lost())
					return
				}
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
			})
		})
	}
}

// TestWindow has the meter send several frames before we acknowledge.
func TestWindow(t *testing.T) {
	for _, window := range []int{1, 3, 7} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := hdlcConfig
				cfg.MaxInfo, cfg.Window = 64, window
				c, _ := metered(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, Window: 7}, cfg, fault.Plan{})
				a, err := c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				readAll(t, a)
				before := c.Stats().RoundTrips
				_, err = a.Get(context.Background(), profileBuffer, nil)
				require.NoError(t, err)
				t.Logf("window %d: %d round trips", window, c.Stats().RoundTrips-before)
				if window > 1 {
					require.LessOrEqual(t, c.Stats().RoundTrips-before, 30/window+2)
				} else {
					require.Equal(t, 30, c.Stats().RoundTrips-before)
				}
			})
		})
	}
}

func TestMaxDepth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		nested := []byte{2, 1, 2, 1, 1, 1, 0x11, 7} // three deep
		l := newLine(wrapperMeter(meterApp(allServices, 0, func(q xdlms.GetRequest) []byte {
			if q.Type == xdlms.GetWithList {
				return list(q, 2, append([]byte{0}, nested...), []byte{0, 0x11, 7})
			}
			return xdlms.AppendGetResponseNormal(nil, q.InvokeID, nested)
		})))
		for limit, ok := range map[int]bool{0: true, 3: true, 2: false} {
			cfg := wrapperConfig
			cfg.MaxDepth = limit
			a := associated(t, l, cfg)
			_, err := a.Get(context.Background(), register(1, 1), nil)
			require.Equal(t, ok, err == nil, "%d: %v", limit, err)
			var errs []error
			require.NoError(t, a.GetList(context.Background(), registers(2), func(_ int, _ axdr.Data, err error) { errs = append(errs, err) }))
			require.Equal(t, ok, errs[0] == nil)
			require.NoError(t, errs[1], "the other item is read")
			if !ok {
				require.EqualError(t, err, "GET class 3, 1.0.1.8.1.255, attribute 2 (value): arrays and structures nested more than 2 deep")
			}
		}
		require.Equal(t, 3, axdr.Data(nested).Depth())
		require.Zero(t, axdr.Data{0x11, 7}.Depth())
		require.Zero(t, axdr.Data{}.Depth())
		require.Equal(t, 1, axdr.Data{1, 0}.Depth())
	})
}

// TestWorkarounds: services that the meter does not grant, and short lists.
func TestWorkarounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sizes []int
		l := newLine(wrapperMeter(meterApp(0, 0, counting(&sizes, values))))
		a, err := dialled(t, l, wrapperConfig).Associate(context.Background(), AssociationConfig{AssumeConformance: xdlms.ConformanceMultipleReferences})
		require.NoError(t, err)
		ats := registers(6)
		got, err := listed(t, a, ats)
		require.NoError(t, err)
		require.Equal(t, wantValues(ats), got)
		require.Equal(t, []int{6}, sizes)

		cfg := wrapperConfig
		cfg.ListMax = 4
		sizes = nil
		a, err = dialled(t, l, cfg).Associate(context.Background(), AssociationConfig{AssumeConformance: xdlms.ConformanceMultipleReferences})
		require.NoError(t, err)
		_, err = listed(t, a, ats)
		require.NoError(t, err)
		require.Equal(t, []int{4, 2}, sizes)
	})
}

func TestSegmentRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := hdlcConfig
		cfg.MaxInfo = 32
		selection := &cosem.Selection{Selector: 2, Parameters: axdr.Data(mustHex("0204 0600000001 060000000A 120001 120000"))}
		for _, segment := range []bool{false, true} {
			cfg.SegmentRequests = segment
			c, _ := metered(t, dlmstest.Config{Framing: dlmstest.FramingHDLC}, cfg, fault.Plan{})
			a, err := c.Associate(context.Background(), AssociationConfig{})
			require.NoError(t, err)
			_, err = a.Get(context.Background(), profileBuffer, selection)
			var size *RequestSizeError
			require.Equal(t, !segment, errors.As(err, &size), "%v", err)
		}
	})
}
