package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// expectation is an attribute and what it must hold.
type expectation struct {
	attribute cosem.Attribute
	check     func(d axdr.Data) error
}

// registerValues are the scalers and values of the meter's 20 registers.
func registerValues(c peer.Contents) ([]expectation, error) {
	var list []expectation
	for _, r := range c.Registers {
		pair, err := register(cosem.Register, r)
		if err != nil {
			return nil, err
		}
		list = append(list, pair...)
	}
	return list, nil
}

// everything is all the meter holds but its profile.
func everything(c peer.Contents) ([]expectation, error) {
	list, err := registerValues(c)
	if err != nil {
		return nil, err
	}
	for _, r := range c.Extended {
		pair, err := register(cosem.ExtendedRegister, r)
		if err != nil {
			return nil, err
		}
		list = append(list, pair...)
		captured := pair[0].attribute
		captured.ID = 5
		list = append(list, expectation{captured, isTime(c.Clock - 900)})
	}
	for _, n := range c.Data {
		code, err := obis.Parse(n.OBIS)
		if err != nil {
			return nil, err
		}
		list = append(list, expectation{cosem.Attribute{Class: cosem.Data, Instance: code, ID: 2}, isInteger(n.Value)})
	}
	list = append(list,
		expectation{cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 42, 0, 0, 255}, ID: 2}, isText(c.Name)},
		expectation{cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 96, 1, 0, 255}, ID: 2}, isText(c.Serial)},
		expectation{cosem.Attribute{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}, ID: 2}, isTime(c.Clock)},
	)
	return list, nil
}

func register(class cosem.ClassID, r peer.Register) ([]expectation, error) {
	code, err := obis.Parse(r.OBIS)
	if err != nil {
		return nil, err
	}
	return []expectation{
		{cosem.Attribute{Class: class, Instance: code, ID: 3}, func(d axdr.Data) error {
			su, err := cosem.ParseScalerUnit(d)
			if err == nil && (int(su.Scaler) != r.Scaler || uint8(su.Unit) != r.Unit) {
				err = fmt.Errorf("scaler %d and unit %d, want %d and %d", su.Scaler, su.Unit, r.Scaler, r.Unit)
			}
			return err
		}},
		{cosem.Attribute{Class: class, Instance: code, ID: 2}, isInteger(int64(r.Raw))},
	}, nil
}

func isInteger(want int64) func(axdr.Data) error {
	return func(d axdr.Data) error {
		if got, ok := d.Int64(); !ok || got != want {
			return fmt.Errorf("got %s, want %d", d, want)
		}
		return nil
	}
}

func isText(want string) func(axdr.Data) error {
	return func(d axdr.Data) error {
		if got, ok := d.Octets(); !ok || !bytes.Equal(got, []byte(want)) {
			return fmt.Errorf("got %s, want %q", d, want)
		}
		return nil
	}
}

func isTime(want int64) func(axdr.Data) error {
	return func(d axdr.Data) error {
		stamp, ok := d.DateTime()
		if !ok {
			return fmt.Errorf("got %s, want a date-time", d)
		}
		if got, ok := stamp.Time(time.UTC); !ok || got.Unix() != want {
			return fmt.Errorf("got %s, want %s", stamp, time.Unix(want, 0).UTC())
		}
		return nil
	}
}
