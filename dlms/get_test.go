package dlms

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// awkward answers GETs with get, over the wrapper.
func awkward(t *testing.T, cfg ConnConfig, get func(q xdlms.GetRequest) []byte) *Association {
	t.Helper()
	return associated(t, newLine(wrapperMeter(meterApp(allServices, 0, get))), cfg)
}

func TestGetErrors(t *testing.T) {
	const at = "class 3, 1.0.1.8.0.255, attribute 2 (value)"
	deep := append(bytes.Repeat([]byte{1, 1}, 10000), 0)
	tests := []struct {
		name string
		get  func(q xdlms.GetRequest) []byte
		want string
		lost bool
	}{
		{"access", func(q xdlms.GetRequest) []byte { return xdlms.AppendGetResponseError(nil, q.InvokeID, 3) }, at + ": read-write-denied (data-access-result 3)", false},
		{"other access", func(q xdlms.GetRequest) []byte { return xdlms.AppendGetResponseError(nil, q.InvokeID, 99) }, at + ": unknown(0x63) (data-access-result 99)", false},
		{"exception", func(xdlms.GetRequest) []byte { return []byte{0xD8, 2, 3} }, "GET " + at + ": exception-response: service-unknown, other-reason (2/3)", false},
		{"association lost", func(xdlms.GetRequest) []byte { return []byte{0xD8, 1, 2} }, "GET " + at + ": exception-response: service-not-allowed, service-not-supported (1/2): the meter has no association with us any more", true},
		{"confirmedServiceError", func(xdlms.GetRequest) []byte { return []byte{0x0E, 5, 5, 4} }, "GET " + at + ": confirmedServiceError: read: access, object-unavailable (5/5/4)", false},
		{"empty response", func(xdlms.GetRequest) []byte { return []byte{0xC4} }, "get-response", false},
		{"garbage", func(xdlms.GetRequest) []byte { return []byte{0xDE, 0xAD} }, "expected a get-response, got unknown(0xde): DEAD", false},
		{"no value", func(q xdlms.GetRequest) []byte { return []byte{0xC4, 1, byte(q.InvokeID), 0} }, "get-response", false},
		{"length that lies", func(q xdlms.GetRequest) []byte {
			return append([]byte{0xC4, 1, byte(q.InvokeID), 0}, 0x09, 0x84, 0xFF, 0xFF, 0xFF, 0xFF)
		}, "get-response", false},
		{"count that lies", func(q xdlms.GetRequest) []byte {
			return append([]byte{0xC4, 1, byte(q.InvokeID), 0}, 0x01, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0x00)
		}, "get-response", false},
		{"10000 arrays", func(q xdlms.GetRequest) []byte { return append([]byte{0xC4, 1, byte(q.InvokeID), 0}, deep...) }, "get-response", false},
		{"a list", func(q xdlms.GetRequest) []byte { return list(q, 1, []byte{0, 0x11, 1}) }, "asked for one attribute, the answer is a list of 1", false},
		{"first block 2", func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseBlock(nil, q.InvokeID, false, 2, []byte{1})
		}, "the first block has number 2, expected 1 or 0", false},
		{"block with an error", func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseBlockError(nil, q.InvokeID, true, 1, 11)
		}, at + ": object-unavailable (data-access-result 11)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				bad := true
				a := awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte {
					if bad {
						return tt.get(q)
					}
					return values(q)
				})
				_, err := a.Get(context.Background(), register(1, 0), nil)
				require.ErrorContains(t, err, tt.want)
				require.Equal(t, tt.lost, a.Lost() != nil)
				if bad = false; !tt.lost {
					requireValue(t, a, register(1, 1))
				}
			})
		})
	}
}

// blocksOf answers a GET with the raw data in blocks of a size, from number first on.
func blocksOf(raw []byte, size int, first uint32) func(q xdlms.GetRequest) []byte {
	var rest []byte
	number := first
	return func(q xdlms.GetRequest) []byte {
		if q.Type != xdlms.GetNext {
			rest, number = raw, first
		}
		n := min(size, len(rest))
		b := xdlms.AppendGetResponseBlock(nil, q.InvokeID, n == len(rest), number, rest[:n])
		rest = rest[n:]
		number++
		return b
	}
}

func TestGetBlocks(t *testing.T) {
	value := append([]byte{0x09, 0x81, 0x80}, bytes.Repeat([]byte{5}, 128)...)
	tests := []struct {
		name  string
		size  int
		first uint32
		wrap  func(get func(q xdlms.GetRequest) []byte) func(q xdlms.GetRequest) []byte
		nexts []uint32
	}{
		{name: "from 1", size: 50, first: 1, nexts: []uint32{1, 2}},
		{name: "from 0", size: 50, first: 0, nexts: []uint32{0, 1}},
		{name: "only one", size: 500, first: 1},
		{name: "empty ones in between", size: 100, first: 1, nexts: []uint32{1, 2, 3}, wrap: func(get func(xdlms.GetRequest) []byte) func(xdlms.GetRequest) []byte {
			return func(q xdlms.GetRequest) []byte {
				switch q.Block {
				case 1:
					return xdlms.AppendGetResponseBlock(nil, q.InvokeID, false, 2, nil)
				case 2:
					b := get(q)
					b[3], b[7] = 0, 3
					return b
				case 3:
					return []byte{0xC4, 2, byte(q.InvokeID), 0xFF, 0, 0, 0, 4} // last, and not even a result
				default:
					return get(q)
				}
			}
		}},
		{name: "the same again", size: 50, first: 1, nexts: []uint32{1, 1, 2}, wrap: func(get func(xdlms.GetRequest) []byte) func(xdlms.GetRequest) []byte {
			var last []byte
			repeated := false
			return func(q xdlms.GetRequest) []byte {
				if q.Block == 1 && !repeated {
					repeated = true
					return last
				}
				last = get(q)
				return last
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				get := blocksOf(value, tt.size, tt.first)
				if tt.wrap != nil {
					get = tt.wrap(get)
				}
				var nexts []uint32
				var ids []xdlms.InvokeID
				a := awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte {
					ids = append(ids, q.InvokeID)
					if q.Type == xdlms.GetNext {
						nexts = append(nexts, q.Block)
					}
					return get(q)
				})
				d, err := a.Get(context.Background(), register(1, 0), nil)
				require.NoError(t, err)
				require.Equal(t, value, []byte(d))
				require.Equal(t, tt.nexts, nexts)
				for _, id := range ids {
					require.Equal(t, ids[0], id, "the same invoke id throughout")
				}
			})
		})
	}
}

func TestGetBlocksThatGoWrong(t *testing.T) {
	block := func(q xdlms.GetRequest, last bool, number uint32, raw []byte) []byte {
		return xdlms.AppendGetResponseBlock(nil, q.InvokeID, last, number, raw)
	}
	kib := make([]byte, 1024)
	tests := []struct {
		name  string
		cfg   func(c *ConnConfig)
		get   func(q xdlms.GetRequest) []byte
		want  string
		times int // requests at most
	}{
		{"never ending, full", nil, func(q xdlms.GetRequest) []byte { return block(q, false, q.Block+1, kib) }, "the blocks hold more than 1048576 octets", 1026},
		{"never ending, empty", func(c *ConnConfig) { c.MaxBlocks = 300 }, func(q xdlms.GetRequest) []byte { return block(q, false, q.Block+1, nil) }, "more than 300 blocks", 301},
		{"always the same", nil, func(q xdlms.GetRequest) []byte { return block(q, false, 1, kib) }, "expected block 2, got block 1", 4},
		{"one left out", nil, func(q xdlms.GetRequest) []byte { return block(q, false, 2*q.Block+1, kib) }, "expected block 2, got block 3", 3},
		{"an error inside", nil, func(q xdlms.GetRequest) []byte {
			if q.Block == 2 {
				return xdlms.AppendGetResponseBlockError(nil, q.InvokeID, true, 3, 15)
			}
			return block(q, false, q.Block+1, kib)
		}, "attribute 2 (value): long-get-aborted (data-access-result 15)", 4},
		{"a plain error inside", nil, func(q xdlms.GetRequest) []byte {
			if q.Block == 2 {
				return xdlms.AppendGetResponseError(nil, q.InvokeID, 16)
			}
			return block(q, false, q.Block+1, kib)
		}, "no-long-get-in-progress (data-access-result 16)", 4},
		{"another form inside", nil, func(q xdlms.GetRequest) []byte {
			if q.Block == 2 {
				return xdlms.AppendGetResponseNormal(nil, q.InvokeID, []byte{0x11, 1})
			}
			return block(q, false, q.Block+1, kib)
		}, "expected block 3, got a get-response normal", 4},
		{"an exception inside", nil, func(q xdlms.GetRequest) []byte {
			if q.Block == 2 {
				return []byte{0xD8, 2, 1}
			}
			return block(q, false, q.Block+1, kib)
		}, "block after 2: exception-response", 4},
		{"nonsense when joined", nil, func(q xdlms.GetRequest) []byte { return block(q, q.Block == 1, q.Block+1, []byte{0x09, 0xFF}) }, "joined blocks", 3},
		{"less than announced", nil, func(q xdlms.GetRequest) []byte { return block(q, q.Block == 1, q.Block+1, []byte{0x09, 0x20}) }, "joined blocks", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := wrapperConfig
				if tt.cfg != nil {
					tt.cfg(&cfg)
				}
				times, bad := 0, true
				a := awkward(t, cfg, func(q xdlms.GetRequest) []byte {
					if !bad {
						return values(q)
					}
					times++
					return tt.get(q)
				})
				_, err := a.Get(context.Background(), register(1, 0), nil)
				require.ErrorContains(t, err, tt.want)
				require.LessOrEqual(t, times, tt.times)
				require.NoError(t, a.Lost())
				bad = false
				requireValue(t, a, register(1, 1))
				require.LessOrEqual(t, cap(a.joined), 4<<20)
			})
		})
	}
}

func TestDatagramBlocksTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		value := append([]byte{0x09, 0x81, 0x80}, bytes.Repeat([]byte{5}, 128)...)
		nexts := 0
		get := blocksOf(value, 50, 1)
		app := meterApp(allServices, 0, func(q xdlms.GetRequest) []byte {
			nexts++
			return get(q)
		})
		l, cfg := datagrams(nil)
		once := wrapperMeter(app)
		l.answer = func(l *line, message []byte) {
			before := len(l.queue)
			once(l, message)
			l.queue = append(l.queue, l.queue[before:]...)
		}
		a := associated(t, l, cfg)
		d, err := a.Get(context.Background(), register(1, 0), nil)
		require.NoError(t, err)
		require.Equal(t, value, []byte(d))
		require.Equal(t, 3, nexts, "copies are dropped, not acknowledged")
	})
}

func TestSelectiveAccess(t *testing.T) {
	sel := &cosem.Selection{Selector: 2, Parameters: axdr.Data(unhex(t, "0204 0600000001 060000000A 120001 120000"))}
	at := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}
	bubble(t, func(t *testing.T) {
		var sent []byte
		app := meterApp(allServices, 0, func(q xdlms.GetRequest) []byte {
			return xdlms.AppendGetResponseNormal(nil, q.InvokeID, []byte{1, 0})
		})
		a := associated(t, newLine(wrapperMeter(func(apdu []byte) []byte {
			sent = bytes.Clone(apdu)
			return app(apdu)
		})), wrapperConfig)
		_, err := a.Get(context.Background(), at, sel)
		require.NoError(t, err)
		require.Equal(t, unhex(t, "C001C1 0007 0100630100FF 02 01 02 0204 0600000001 060000000A 120001 120000"), sent)

		a.params.Conformance &^= xdlms.ConformanceSelectiveAccess
		_, err = a.Get(context.Background(), at, sel)
		require.ErrorContains(t, err, "the meter does not grant selective access")
		require.NoError(t, a.Lost())
		_, err = a.Get(context.Background(), at, &cosem.Selection{Selector: 1})
		require.Error(t, err)
	})
}

func TestRequestLongerThanAFrame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 0, values)}
		a := associated(t, newLine(m.answer), hdlcConfig)
		long := append([]byte{0x0A, 0x7F}, strings.Repeat("x", 127)...)
		_, err := a.Get(context.Background(), register(1, 1), &cosem.Selection{Selector: 1, Parameters: long})
		require.ErrorContains(t, err, "a frame to the meter has room for 125")
		requireValue(t, a, register(1, 1))
	})
}

func TestInvokeIDsRotate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var ids []uint8
		a := awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte {
			require.Equal(t, xdlms.InvokeID(0xC0), q.InvokeID&0xF0)
			ids = append(ids, q.InvokeID.ID())
			return values(q)
		})
		for range 17 {
			requireValue(t, a, register(1, 1))
		}
		require.Equal(t, []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1}, ids)
	})
}

// profile is an array of n rows of two columns.
func profile(n int) []byte {
	b := axdr.AppendArray(nil, n)
	for i := range n {
		b = axdr.AppendStructure(b, 2)
		b = axdr.AppendDoubleLongUnsigned(b, uint32(i))
		b = axdr.AppendOctetString(b, bytes.Repeat([]byte{byte(i)}, i%20))
	}
	return b
}

func TestGetRows(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 64, 1000, 100000} {
		bubbleRows(t, size, 250)
	}
	bubbleRows(t, 50, 0)
	bubbleRows(t, 1, 1)
}

func bubbleRows(t *testing.T, size, n int) {
	t.Helper()
	t.Run("", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			raw := profile(n)
			a := awkward(t, wrapperConfig, blocksOf(raw, size, 1))
			joined := axdr.AppendArray(nil, n)
			err := a.GetRows(context.Background(), register(1, 0), nil, func(row axdr.Data) error {
				joined = append(joined, row...)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, raw, joined)
			require.LessOrEqual(t, cap(a.joined), 4*(size+64), "one row and one block are held, not the profile")

			a = awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte {
				return xdlms.AppendGetResponseNormal(nil, q.InvokeID, raw)
			})
			rows := 0
			require.NoError(t, a.GetRows(context.Background(), register(1, 0), nil, func(axdr.Data) error {
				rows++
				return nil
			}))
			require.Equal(t, n, rows)
		})
	})
}

func TestGetRowsErrors(t *testing.T) {
	rows := profile(10)
	endless := func(q xdlms.GetRequest) []byte {
		raw := []byte{0x09, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}
		switch q.Block {
		case 0:
			raw = []byte{1, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}
		case 1:
		default:
			raw = make([]byte, 4096)
		}
		return xdlms.AppendGetResponseBlock(nil, q.InvokeID, false, q.Block+1, raw)
	}
	tests := []struct {
		name string
		get  func(q xdlms.GetRequest) []byte
		cfg  func(c *ConnConfig)
		want string
		rows int
	}{
		{"not an array", blocksOf([]byte{0x11, 1}, 1, 1), nil, "expected an array, got unsigned", 0},
		{"nothing", blocksOf(nil, 1, 1), nil, "the answer ends within number 1", 0},
		{"null-data", blocksOf([]byte{0}, 1, 1), nil, "", 0},
		{"too few", blocksOf(rows[:2+9+10], 5, 1), nil, "10 rows announced", 2},
		{"none of those announced", blocksOf([]byte{1, 5}, 5, 1), nil, "5 rows announced, 0 came", 0},
		{"too many", blocksOf(append([]byte{1, 9}, rows[2:]...), 5, 1), nil, "behind the last row", 9},
		{"a row that is none", blocksOf(append(bytes.Clone(rows[:2+9]), 0xEE, 0, 0, 0), 5, 1), nil, "row 2", 1},
		{"10000 arrays in each other", blocksOf(bytes.Repeat([]byte{1, 1}, 10000), 500, 1), nil, "row 1", 0},
		{"a row without end", endless, nil, "row 1 has more than 1048576 octets", 0},
		{"a row above the cap", blocksOf(append([]byte{1, 1, 0x09, 0x82, 1, 0}, make([]byte, 256)...), 32, 1), func(c *ConnConfig) { c.MaxAPDU = 128 }, "row 1 has more than 128 octets", 0},
		{"access", func(q xdlms.GetRequest) []byte { return xdlms.AppendGetResponseError(nil, q.InvokeID, 3) }, nil, "read-write-denied", 0},
		{"access in the middle", func(q xdlms.GetRequest) []byte {
			if q.Type == xdlms.GetNext {
				return xdlms.AppendGetResponseBlockError(nil, q.InvokeID, true, 2, 2)
			}
			return xdlms.AppendGetResponseBlock(nil, q.InvokeID, false, 1, rows[:12])
		}, nil, "attribute 2 (value): temporary-failure (data-access-result 2)", 1},
		{"a list", func(q xdlms.GetRequest) []byte { return list(q, 1, []byte{0, 0x11, 1}) }, nil, "the answer is a list of 1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := wrapperConfig
				if tt.cfg != nil {
					tt.cfg(&cfg)
				}
				a := awkward(t, cfg, tt.get)
				n := 0
				err := a.GetRows(context.Background(), register(1, 0), nil, func(axdr.Data) error {
					n++
					return nil
				})
				if tt.want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tt.want)
				}
				require.Equal(t, tt.rows, n)
				require.NoError(t, a.Lost())
			})
		})
	}
}

func TestGetRowsStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		enough := errors.New("enough")
		requests := 0
		get := blocksOf(profile(100), 60, 1)
		a := awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte {
			requests++
			return get(q)
		})
		n := 0
		err := a.GetRows(context.Background(), register(1, 0), nil, func(axdr.Data) error {
			if n++; n == 5 {
				return enough
			}
			return nil
		})
		require.Same(t, enough, err)
		require.Equal(t, 5, n)
		require.LessOrEqual(t, requests, 2)
		require.NoError(t, a.Lost())
	})
}
