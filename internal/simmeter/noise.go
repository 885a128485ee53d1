package simmeter

// What varies at random is a pure function of the seed, of what it is for and
// of a number such as that of a second: nothing has to be remembered, and the
// same instant always gives the same value.

// kind tells the random sequences of one meter apart.
type kind uint64

const (
	kindLoad kind = iota + 1
	kindAppliance
	kindWeather
	kindShare
	kindReactive
	kindInitial
	kindMinute // the noise of the power, in three steps
	kindTenSeconds
	kindSecond
	kindVoltage
	kindVoltageFast
	kindFrequency
	kindFrequencyFast
	kindTemperature
)

// random is a number in [0, 1) for the i-th element of sequence k of phase.
func random(seed uint64, k kind, phase int, i int64) float64 {
	x := seed ^ uint64(k)<<56 ^ uint64(phase)<<52
	x = mix(x + 0x9e3779b97f4a7c15)
	x = mix(x ^ uint64(i)*0xd1342543de82ef95)
	return float64(x>>11) / (1 << 53)
}

// around is a number in [-1, 1).
func around(seed uint64, k kind, phase int, i int64) float64 {
	return 2*random(seed, k, phase, i) - 1
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// wander is a number in [-1, 1) that goes in a straight line from one value to
// the next in step seconds.
func wander(seed uint64, k kind, phase int, second, step int64) float64 {
	i, into := floorDiv(second, step)
	f := float64(into) / float64(step)
	return around(seed, k, phase, i)*(1-f) + around(seed, k, phase, i+1)*f
}

// floorDiv divides towards minus infinity: 0 <= rest < b.
func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient--
		rest += b
	}
	return quotient, rest
}
