package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

const listedMeter = `[[object]]
class = 3
obis = "1.0.1.8.0.255"
value = { double-long-unsigned = 12345 }
scaler = -1
unit = "Wh"

[[object]]
class = 1
obis = "0.0.96.1.0.255"
result = "read-write-denied"

[[object]]
class = 1
obis = "0.0.96.128.0.255"
value = { boolean = true }

[[object]]
class = 7
obis = "1.0.99.1.0.255"
value = { array = [] }

[[object]]
class = 1
obis = "0.0.42.0.0.255"
value = { visible-string = "SIM1" }
`

// exploring makes a plugin that reads the objects of a meter.
func exploring(t *testing.T, keys, toml string) (*DLMS, *network, *journal) {
	n := newNetwork(t)
	d, j := plugin(t, n, "[[inputs.dlms_cosem]]\n"+top+"\n"+keys+"\n[[inputs.dlms_cosem.request]]\nname = \"a\"\n[[inputs.dlms_cosem.request.item]]\n"+wellItem+"\n")
	require.NoError(t, d.Init())
	if toml != "" {
		n.set("", &host{meter: meter(t, toml)})
	}
	return d, n, j
}

func TestObjects(t *testing.T) {
	for _, short := range []bool{false, true} {
		t.Run(fmt.Sprintf("short names=%v", short), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys, server := "", ""
				if short {
					keys, server = "referencing = \"sn\"", "[server]\nreferencing = \"sn\"\n"
				}
				d, _, j := exploring(t, keys, server+listedMeter)
				var steps [][2]int
				list, err := d.Objects(context.Background(), ObjectsOptions{Values: true, Progress: func(done, all int) { steps = append(steps, [2]int{done, all}) }})
				require.NoError(t, err)
				require.Empty(t, j.at("W! "))
				by := map[string]Object{}
				for _, o := range list {
					if short {
						require.NotNil(t, o.BaseName, o.OBIS)
						o.BaseName = nil
					}
					by[o.OBIS] = o
				}
				scaler := -1
				require.Equal(t, Object{OBIS: "1.0.1.8.0.255", Name: "active energy import, total", Class: 3, ClassName: "Register", Attribute: 2,
					Type: "double-long-unsigned", Unit: "Wh", Scaler: &scaler, Value: 1234.5, Text: "1234.5"}, by["1.0.1.8.0.255"])
				require.Equal(t, Object{OBIS: "0.0.96.128.0.255", Name: "manufacturer specific", Class: 1, ClassName: "Data", Attribute: 2, Type: "boolean", Value: true, Text: "true"}, by["0.0.96.128.0.255"])
				require.Equal(t, Object{OBIS: "1.0.99.1.0.255", Name: "load profile 1", Class: 7, ClassName: "Profile generic"}, by["1.0.99.1.0.255"])
				denied := by["0.0.96.1.0.255"]
				if short {
					require.Equal(t, "class 1, 0.0.96.1.0.255, attribute 2 (value): read-write-denied (data-access-result 3)", denied.Reason)
				} else {
					require.Equal(t, "this client may not read it (access mode 0)", denied.Reason)
				}
				require.Equal(t, seesLittle, denied.Hint())
				require.Nil(t, denied.Value)
				last := steps[len(steps)-1]
				require.Equal(t, [2]int{len(list), len(list)}, last)
			})
		})
	}
}

func TestObjectsWithoutValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := exploring(t, "", listedMeter)
		list, err := d.Objects(context.Background(), ObjectsOptions{})
		require.NoError(t, err)
		for _, o := range list {
			require.Nil(t, o.Value, o.OBIS)
			require.Empty(t, o.Text, o.OBIS)
			if o.Class == 3 {
				require.Equal(t, "Wh", o.Unit)
			}
		}
	})
}

// TestObjectsResumed: what was read before an interruption is not read again,
// unless it is another meter that answers.
func TestObjectsResumed(t *testing.T) {
	for _, another := range []bool{false, true} {
		t.Run(fmt.Sprintf("another meter=%v", another), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, n, _ := exploring(t, "keep_open = \"never\"", "")
				o := newChanging("METER1", -1)
				n.set("", &host{meter: newMeter(dlmstest.FramingWrapper, o)})
				ctx, cancel := context.WithCancel(context.Background())
				list, err := d.Objects(ctx, ObjectsOptions{Values: true, Progress: func(done, all int) {
					if done == objectsChunk && all > 0 {
						cancel()
					}
				}})
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, "16 of 22 objects were read; to go on, run this again")
				require.Len(t, list, 22)
				require.NotEmpty(t, list[5].Text)
				require.Empty(t, list[21].Text)
				before := o.times(3, 3, 2)
				require.Equal(t, 1, before)
				if another {
					o.change(func(c *changing) { c.name = "METER2" })
				}
				list, err = d.Objects(context.Background(), ObjectsOptions{Values: true})
				require.NoError(t, err)
				for _, x := range list {
					require.NotEmpty(t, x.Text, x.OBIS)
				}
				again := 0
				if another {
					again = 1
				}
				require.Equal(t, before+again, o.times(3, 3, 2))
				// It is done: the next call begins anew.
				_, err = d.Objects(context.Background(), ObjectsOptions{Values: true})
				require.NoError(t, err)
				require.Equal(t, before+again+1, o.times(3, 3, 2))
			})
		})
	}
}

// TestObjectsSlow: a reading that takes long is ended by nothing but a timeout
// that was asked for.
func TestObjectsSlow(t *testing.T) {
	slow := "[server]\nresponse_delay = \"4s\"\nblock_size = 20\n" + listedMeter
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := exploring(t, "", slow)
		began := time.Now()
		_, err := d.Objects(context.Background(), ObjectsOptions{Values: true})
		require.NoError(t, err)
		require.Greater(t, time.Since(began), 30*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := exploring(t, "timeout = \"20s\"", slow)
		_, err := d.Objects(context.Background(), ObjectsOptions{Values: true})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestObjectsFailures(t *testing.T) {
	for name, toml := range map[string]string{
		"association refused": "[faults]\nreject_association = -1\nreject_diagnostic = 13\n" + listedMeter,
		"list denied":         "[[object]]\nclass = 15\nobis = \"0.0.40.0.0.255\"\nresult = \"read-write-denied\"\n",
		"no list":             "[[object]]\nclass = 15\nobis = \"0.0.40.0.0.255\"\nvalue = { unsigned = 1 }\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _, _ := exploring(t, "", toml)
				list, err := d.Objects(context.Background(), ObjectsOptions{Values: true})
				require.Error(t, err)
				require.Empty(t, list)
				require.NotEmpty(t, Hint(err), err)
			})
		})
	}
	d := &DLMS{}
	_, err := d.Objects(context.Background(), ObjectsOptions{})
	require.EqualError(t, err, "there is no request")
}

// TestObjectsReconnects: a meter that hangs up in between is asked again, once.
func TestObjectsReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, n, _ := exploring(t, "", "")
		n.set("", &host{meter: newMeter(dlmstest.FramingWrapper, newChanging("METER1", -1))})
		cut := false
		list, err := d.Objects(context.Background(), ObjectsOptions{Values: true, Progress: func(done, all int) {
			if done == objectsChunk && all > 0 && !cut {
				cut = true
				n.cut()
			}
		}})
		require.NoError(t, err)
		require.Equal(t, 2, n.dialed())
		for _, x := range list {
			require.NotEmpty(t, x.Text, x.OBIS)
		}
		require.False(t, errors.Is(err, context.Canceled))
	})
}
