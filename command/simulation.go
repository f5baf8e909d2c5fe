package command

import (
	"errors"
	"strconv"
	"strings"
)

const (
	simulateRate    = 4 // --simulate without a number: deliveries per second
	maxSimulateRate = 10_000
	chaosWord       = "chaos"
	simulationType  = "[chaos:]rate" // as help shows the value
)

// simulation is the value of --simulate. It is one flag and not two, since chaos says
// nothing without a simulation: "20", "chaos", "chaos:20".
type simulation struct {
	rate  float64 // deliveries per second, of all vendors together; 0: none
	chaos bool    // the fixtures instead of the vendors' stories
}

// String is what Set reads again.
func (s *simulation) String() string {
	rate := strconv.FormatFloat(s.rate, 'g', -1, 64)
	if s.chaos {
		return chaosWord + ":" + rate
	}
	return rate
}

// Set reads a value. What is wrong with one is told by explainFlag.
func (s *simulation) Set(text string) error {
	rate, chaos := strings.CutPrefix(text, chaosWord)
	switch {
	case rate == "" && chaos:
		rate = strconv.Itoa(simulateRate)
	case chaos && rate[0] != ':':
		return errNoSimulation
	case chaos:
		rate = rate[1:]
	}
	n, err := strconv.ParseFloat(rate, 64)
	if err != nil || !(n >= 0 && n <= maxSimulateRate) { // so that NaN is refused too
		return errNoSimulation
	}
	*s = simulation{rate: n, chaos: chaos}
	return nil
}

var errNoSimulation = errors.New("want deliveries per second, chaos, or chaos:20")

// Type names the value in the help.
func (*simulation) Type() string { return simulationType }
