package dlmstest

import (
	"fmt"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// AwkwardConfig is a meter with much of what makes real ones awkward: frames of
// maxInfo octets (62 and 128 are usual), no lists, one session at a time, and
// answers that take their time.
func AwkwardConfig(framing string, maxInfo int) Config {
	return Config{Framing: framing, MaxInfo: maxInfo, MaxPDU: 256, NoLists: true, MaxSessions: 1, ResponseDelay: 200 * time.Millisecond}
}

// Awkward is what such a meter holds. It may be replaced by another one while it
// is read; the numbers that it shows stay true, at other scalers.
//
// The codes AwkwardRegister hold 100,000 times their value group E plus 7 in Wh.
type Awkward struct {
	mu         sync.Mutex
	generation int
	asked      map[cosem.Attribute]int
}

// NewAwkward returns the first one.
func NewAwkward() *Awkward { return &Awkward{asked: map[cosem.Attribute]int{}} }

// The objects of an Awkward, beside its logical device name and its clock.
var (
	// AwkwardDemand is an energy by its code, and a maximum demand in truth: an extended register.
	AwkwardDemand = obis.Code{1, 0, 1, 8, 0, 255}
	// AwkwardDenied is a register whose scaler and unit is denied.
	AwkwardDenied = obis.Code{1, 0, 1, 8, 9, 255}
	// AwkwardProfile is a load profile of 50 rows of one number, of a register's class it is not.
	AwkwardProfile = obis.Code{1, 0, 99, 1, 0, 255}
)

// AwkwardRegister is the code of a register, n from 1 to 8.
func AwkwardRegister(n int) obis.Code { return obis.Code{1, 0, 1, 8, byte(n), 255} }

// AwkwardValue is what a register or the demand shows, in Wh or W.
func AwkwardValue(code obis.Code) float64 { return float64(100000 * (int(code[4]) + 7)) }

// AwkwardRows is how many rows the profile has.
const AwkwardRows = 50

// Replace puts another meter in its place: with another name and other scalers.
func (a *Awkward) Replace() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
}

// Asked is how often an attribute was asked for.
func (a *Awkward) Asked(at cosem.Attribute) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[at]
}

// Get is that of [Objects].
func (a *Awkward) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	a.mu.Lock()
	a.asked[at]++
	generation := a.generation
	a.mu.Unlock()
	scaler := int8(generation%4) - 1
	class := cosem.Register
	if at.Instance == AwkwardDemand {
		class = cosem.ExtendedRegister
	}
	switch {
	case at == cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 42, 0, 0, 255}, ID: 2}:
		return axdr.AppendOctetString(b, fmt.Appendf(nil, "AWK%013d", generation)), xdlms.Success
	case at == cosem.Attribute{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}, ID: 2}:
		t := axdr.DateTime{Year: 2000, Month: 1, Day: 1, Weekday: 6, Hour: 1, Deviation: axdr.DeviationUnspecified}
		return axdr.AppendOctetString(b, t.Append(nil)), xdlms.Success
	case at == cosem.Attribute{Class: cosem.ProfileGeneric, Instance: AwkwardProfile, ID: 2}:
		b = axdr.AppendArray(b, AwkwardRows)
		for n := range AwkwardRows {
			b = axdr.AppendStructure(b, 1)
			b = axdr.AppendDoubleLongUnsigned(b, uint32(n))
		}
		return b, xdlms.Success
	case at.Instance[0] != 1 || at.Instance[2] != 1 || at.Instance[3] != 8 || at.Instance[4] > 9:
		return nil, xdlms.ObjectUndefined
	case at.Class != class:
		return nil, xdlms.ObjectClassInconsistent
	case at.ID == 2:
		raw := cosem.Scale(AwkwardValue(at.Instance), -int(scaler))
		return axdr.AppendDoubleLong(b, int32(raw)), xdlms.Success
	case at.ID == 3 && at.Instance == AwkwardDenied:
		return nil, xdlms.ReadWriteDenied
	case at.ID == 3:
		unit := uint8(30) // Wh
		if at.Instance == AwkwardDemand {
			unit = 27 // W
		}
		return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(b, 2), scaler), unit), xdlms.Success
	default:
		return nil, xdlms.ObjectUndefined
	}
}
