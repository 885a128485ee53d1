package dlms

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// listed is what GetList gave: numbers, "error text" or nothing for those not called.
func listed(t *testing.T, a *Association, ats []cosem.Attribute) ([]string, error) {
	t.Helper()
	got := make([]string, len(ats))
	next := 0
	err := a.GetList(context.Background(), ats, func(i int, d axdr.Data, err error) {
		require.Equal(t, next, i, "each is called once per attribute, in order")
		next++
		if err != nil {
			require.Nil(t, d)
			got[i] = err.Error()
			return
		}
		v, ok := d.Uint64()
		require.True(t, ok)
		got[i] = fmt.Sprint(v)
	})
	require.Equal(t, len(ats), next)
	return got, err
}

func wantValues(ats []cosem.Attribute) []string {
	want := make([]string, len(ats))
	for i, at := range ats {
		want[i] = fmt.Sprint(valueOf(at))
	}
	return want
}

// counting notes the sizes of the requests: the number of attributes.
func counting(sizes *[]int, get func(q xdlms.GetRequest) []byte) func(q xdlms.GetRequest) []byte {
	return func(q xdlms.GetRequest) []byte {
		n := len(q.Attributes)
		if q.Type == xdlms.GetNext {
			n = 0
		}
		*sizes = append(*sizes, n)
		return get(q)
	}
}

func TestGetListSizes(t *testing.T) {
	tests := []struct {
		name        string
		info        uint16 // of the meter's frames; 0: wrapper
		conformance xdlms.Conformance
		maxPDU      uint16 // the meter's
		ours        int    // AssociationConfig.MaxPDU
		n           int
		want        []int
	}{
		{"128 octets", 128, allServices, 1024, 0, 20, []int{12, 8}},
		{"62 octets", 62, allServices, 1024, 0, 12, []int{5, 5, 2}},
		{"a single one left", 128, allServices, 1024, 0, 13, []int{12, 1}},
		{"large frames", 512, allServices, 1024, 0, 60, []int{50, 10}},
		{"small PDU of the meter", 512, allServices, 64, 0, 13, []int{6, 6, 1}},
		{"PDU without limit", 0, allServices, 0, 0, 200, []int{127, 73}},
		{"PDU size that is reserved", 0, allServices, 11, 0, 20, []int{20}},
		{"PDU for single reads only", 0, allServices, 23, 0, 3, []int{1, 1, 1}},
		{"PDU of 24", 0, allServices, 24, 0, 3, []int{2, 1}},
		{"no lists", 0, allServices &^ xdlms.ConformanceMultipleReferences, 0, 0, 3, []int{1, 1, 1}},
		{"nothing granted", 0, 0, 0, 0, 3, []int{1, 1, 1}},
		{"our PDU, no blocks", 0, 0x0210, 0, 200, 10, []int{6, 4}},
		{"our PDU, with blocks", 0, allServices, 0, 200, 10, []int{10}},
		{"one attribute", 0, allServices, 0, 0, 1, []int{1}},
		{"none", 0, allServices, 0, 0, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sizes []int
				app := meterApp(tt.conformance, tt.maxPDU, counting(&sizes, values))
				l, cfg := newLine(wrapperMeter(app)), wrapperConfig
				if tt.info > 0 {
					m := &hdlcMeter{app: app}
					m.ua = hdlc.Parameters{MaxInfoTransmit: tt.info, MaxInfoReceive: tt.info, WindowTransmit: 1, WindowReceive: 1}.Append(nil)
					l, cfg = newLine(m.answer), hdlcConfig
				}
				a, err := dialled(t, l, cfg).Associate(context.Background(), AssociationConfig{MaxPDU: tt.ours})
				require.NoError(t, err)
				ats := registers(tt.n)
				got, err := listed(t, a, ats)
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
				require.Equal(t, tt.want, sizes)
			})
		})
	}
}

func TestPDUTooSmallForARequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(wrapperMeter(meterApp(allServices, 12, values)))
		a := associated(t, l, wrapperConfig)
		got, err := listed(t, a, registers(2))
		require.NoError(t, err)
		require.Equal(t, "GET class 3, 1.0.1.8.0.255, attribute 2 (value): the request has 13 octets, the meter takes PDUs of at most 12", got[0])
		require.Len(t, l.sent, 1)
	})
}

// list makes an answer to a list request.
func list(q xdlms.GetRequest, count int, results ...[]byte) []byte {
	b := xdlms.AppendGetResponseList(nil, q.InvokeID, count)
	for _, r := range results {
		b = append(b, r...)
	}
	return b
}

func TestGetListFallsBack(t *testing.T) {
	u8 := func(v byte) []byte { return []byte{0, 0x11, v} }
	tests := []struct {
		name  string
		list  func(q xdlms.GetRequest) []byte
		sizes []int
		took  time.Duration
	}{
		{"exception, not supported", func(xdlms.GetRequest) []byte { return []byte{0xD8, 2, 2} }, []int{4, 1, 1, 1, 1, 1, 1, 1, 1}, 0},
		{"exception, not allowed", func(xdlms.GetRequest) []byte { return []byte{0xD8, 1, 1} }, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"exception, too long", func(xdlms.GetRequest) []byte { return []byte{0xD8, 1, 4} }, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"confirmedServiceError", func(xdlms.GetRequest) []byte { return []byte{0x0E, 5, 3, 2} }, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"single form", func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseError(nil, q.InvokeID, 250)
		}, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"single form with a value", func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseNormal(nil, q.InvokeID, []byte{0x11, 7})
		}, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"short count", func(q xdlms.GetRequest) []byte {
			return list(q, 3, u8(1), u8(2), u8(3))
		}, []int{4, 1, 1, 1, 1, 2, 1, 1, 1, 1}, 0},
		{"a count that lies", func(q xdlms.GetRequest) []byte {
			return list(q, 4, u8(1), u8(2), u8(3))
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"a huge count", func(q xdlms.GetRequest) []byte {
			return append([]byte{0xC4, 3, byte(q.InvokeID), 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, u8(1)...)
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"more behind", func(q xdlms.GetRequest) []byte {
			return list(q, 4, u8(1), u8(2), u8(3), u8(4), u8(5))
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"octets cut off", func(q xdlms.GetRequest) []byte {
			return list(q, 4, u8(1), u8(2), u8(3), []byte{0, 6, 0, 0})
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"10000 arrays in each other", func(q xdlms.GetRequest) []byte {
			return list(q, 4, u8(1), u8(2), []byte("\x00"+strings.Repeat("\x01\x01", 10000)+"\x00"), u8(3))
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"another APDU", func(xdlms.GetRequest) []byte { return []byte{0xC7, 1, 0xC1, 0, 0} }, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
		{"two silences", func(xdlms.GetRequest) []byte { return nil }, []int{4, 4, 1, 1, 1, 1, 1, 1, 1, 1}, 2 * reply5},
		{"block with an error", func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseBlockError(nil, q.InvokeID, true, 1, 2)
		}, []int{4, 1, 1, 1, 1, 4, 1, 1, 1, 1}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sizes []int
				l := newLine(wrapperMeter(meterApp(allServices, 44, counting(&sizes, func(q xdlms.GetRequest) []byte {
					if q.Type == xdlms.GetWithList {
						return tt.list(q)
					}
					return values(q)
				}))))
				a := associated(t, l, wrapperConfig)
				ats := registers(8)
				start := time.Now()
				got, err := listed(t, a, ats)
				require.NoError(t, err)
				require.Equal(t, wantValues(ats), got)
				require.Equal(t, tt.sizes, sizes)
				require.Equal(t, tt.took, time.Since(start))
			})
		})
	}
}

func TestGetListItemErrors(t *testing.T) {
	bad := register(1, 2)
	for _, conformance := range []xdlms.Conformance{allServices, xdlms.ConformanceGet} {
		t.Run(conformance.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(wrapperMeter(meterApp(conformance, 0, func(q xdlms.GetRequest) []byte {
					if q.Type == xdlms.GetNormal {
						if q.Attributes[0] == bad {
							return xdlms.AppendGetResponseError(nil, q.InvokeID, 4)
						}
						return values(q)
					}
					b := xdlms.AppendGetResponseList(nil, q.InvokeID, len(q.Attributes))
					for _, at := range q.Attributes {
						if at == bad {
							b = xdlms.AppendGetResult(b, nil, 4)
							continue
						}
						b = xdlms.AppendGetResult(b, axdr.AppendDoubleLongUnsigned(nil, valueOf(at)), 0)
					}
					return b
				})))
				a := associated(t, l, wrapperConfig)
				ats := registers(5)
				got, err := listed(t, a, ats)
				require.NoError(t, err)
				want := wantValues(ats)
				want[2] = "class 3, 1.0.1.8.2.255, attribute 2 (value): object-undefined (data-access-result 4)"
				require.Equal(t, want, got)
			})
		})
	}
}

func TestGetListInBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var body []byte
		block := uint32(0)
		l := newLine(wrapperMeter(meterApp(allServices, 0, func(q xdlms.GetRequest) []byte {
			if q.Type == xdlms.GetWithList {
				body = values(q)[3:]
				block = 0
			}
			require.Equal(t, block, q.Block)
			block++
			n := min(11, len(body))
			b := xdlms.AppendGetResponseBlock(nil, q.InvokeID, n == len(body), block, body[:n])
			body = body[n:]
			return b
		})))
		a := associated(t, l, wrapperConfig)
		ats := registers(20)
		got, err := listed(t, a, ats)
		require.NoError(t, err)
		require.Equal(t, wantValues(ats), got)
	})
}

// silentAbout answers all but some attributes.
func silentAbout(ats ...cosem.Attribute) func(q xdlms.GetRequest) []byte {
	return func(q xdlms.GetRequest) []byte {
		for _, at := range ats {
			if q.Type == xdlms.GetNormal && q.Attributes[0] == at {
				return nil
			}
		}
		return values(q)
	}
}

func TestOneSilentAttributeCostsNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(wrapperMeter(meterApp(xdlms.ConformanceGet, 0, silentAbout(register(1, 1), register(1, 3)))))
		a := associated(t, l, wrapperConfig)
		ats := registers(5)
		got, err := listed(t, a, ats)
		require.NoError(t, err)
		want := wantValues(ats)
		for _, i := range []int{1, 3} {
			require.Contains(t, got[i], "no answer within 5s")
			got[i] = want[i]
		}
		require.Equal(t, want, got)
	})
}

func TestGetListLost(t *testing.T) {
	tests := []struct {
		name string
		get  func(q xdlms.GetRequest) []byte
		want string
		read int
		is   error
	}{
		{"two silences in a row", silentAbout(register(1, 1), register(1, 2)), "no answer within 5s", 1, nil},
		{"no association any more", func(q xdlms.GetRequest) []byte {
			if q.Attributes[0] == register(1, 2) {
				return []byte{0xD8, 1, 1}
			}
			return values(q)
		}, "exception-response: service-not-allowed, operation-not-possible (1/1)", 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(wrapperMeter(meterApp(xdlms.ConformanceGet, 0, tt.get)))
				a := associated(t, l, wrapperConfig)
				got, err := listed(t, a, registers(5))
				require.ErrorContains(t, err, tt.want)
				for i := tt.read + 1; i < 5; i++ {
					require.Contains(t, got[i], tt.want)
				}
			})
		})
	}
}

func TestGetListPeerCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		app := meterApp(allServices, 44, values)
		gets := 0
		l := newLine(func(l *line, message []byte) {
			if message[8] == 0xC0 {
				if gets++; gets == 2 {
					l.hangUp(0)
					return
				}
			}
			wrapperMeter(app)(l, message)
		})
		a := associated(t, l, wrapperConfig)
		ats := registers(12)
		got, err := listed(t, a, ats)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, wantValues(ats)[:4], got[:4])
		require.Contains(t, got[11], "closed by the other side")
	})
}

func TestGetListOverHDLCThatAcknowledgesOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sizes []int
		m := &hdlcMeter{app: meterApp(allServices, 0, counting(&sizes, func(q xdlms.GetRequest) []byte {
			if q.Type == xdlms.GetWithList {
				return nil
			}
			return values(q)
		}))}
		m.frame = onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.RR { // nothing to say, and never repeating what was taken
				l.say(0, m.rr())
				return true
			}
			return false
		})
		a := associated(t, newLine(m.answer), hdlcConfig)
		ats := registers(8)
		start := time.Now()
		got, err := listed(t, a, ats)
		require.NoError(t, err)
		require.Equal(t, wantValues(ats), got)
		require.Equal(t, []int{8, 1, 1, 1, 1, 1, 1, 1, 1}, sizes)
		require.Equal(t, 3*reply5, time.Since(start))
	})
}
