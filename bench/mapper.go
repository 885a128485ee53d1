//go:build linux

package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/e2e/telegram"
)

// mapperCost is what the mapper needs for a value, by the difference between a
// push with many and one with few, in the layouts that meters use.
func mapperCost() ([]figure, error) {
	const few, many = 10, 110
	var figures []figure
	for _, c := range []struct {
		name   string
		layout telegram.Layout
	}{{"codes and values", telegram.Pairs}, {"records", telegram.Records}, {"push object list", telegram.Objects}} {
		var nanoseconds, allocations [2]float64
		for i, n := range []int{few, many} {
			run, err := mapping(c.layout, n)
			if err != nil {
				return nil, fmt.Errorf("mapper, %s: %w", c.name, err)
			}
			allocations[i] = testing.AllocsPerRun(1000, run)
			var times []float64
			for range repetitions {
				const runs = 5000
				began := time.Now()
				for range runs {
					run()
				}
				times = append(times, float64(time.Since(began).Nanoseconds())/runs)
			}
			nanoseconds[i] = slices.Min(times) // the others were disturbed
		}
		figures = append(figures,
			figure{name: "mapper, " + c.name + ": time per value", measured: (nanoseconds[1] - nanoseconds[0]) / (many - few), format: "%.0f ns", compare: true},
			figure{name: "  allocations per value", measured: (allocations[1] - allocations[0]) / (many - few), format: "%.2f", target: 0},
			figure{name: "  allocations per push besides", measured: allocations[0], format: "%.0f", compare: true})
	}
	return figures, nil
}

// mapping is a function that maps a push with so many registers.
func mapping(layout telegram.Layout, registers int) (run func(), err error) {
	var values []telegram.Value
	for i := range registers {
		v := pushRegisters[i%len(pushRegisters)]
		v.OBIS[4] = byte(i / len(pushRegisters))
		v.Raw = uint32(i)
		values = append(values, v)
	}
	body := slices.Clip(telegram.Body(nil, layout, "SIM0000000000001", values))
	var m push.Mapper
	n := 0
	take := func(e *push.Entry) bool {
		if e.Named && e.HasUnit {
			n++
		}
		return true
	}
	if _, err := m.Map(body, take); err != nil {
		return nil, err
	}
	if n != registers {
		return nil, fmt.Errorf("%d values with units were found, %d were sent", n, registers)
	}
	return func() { _, _ = m.Map(body, take) }, nil
}
