package command

import "testing"

func TestSimulation(t *testing.T) {
	for _, tc := range []struct {
		text string
		want simulation
		ok   bool
	}{
		{"4", simulation{rate: 4}, true},
		{"0.5", simulation{rate: 0.5}, true},
		{"0", simulation{}, true},
		{"10000", simulation{rate: 10_000}, true},
		{"chaos", simulation{rate: simulateRate, chaos: true}, true},
		{"chaos:20", simulation{rate: 20, chaos: true}, true},
		{"chaos:0", simulation{chaos: true}, true},
		{"", simulation{}, false},
		{"fast", simulation{}, false},
		{"-1", simulation{}, false},
		{"10001", simulation{}, false},
		{"NaN", simulation{}, false},
		{"chaos:", simulation{}, false},
		{"chaos20", simulation{}, false},
		{"chaos:fast", simulation{}, false},
		{"chaos:-1", simulation{}, false},
		{"20:chaos", simulation{}, false},
		{"Chaos", simulation{}, false},
	} {
		var got simulation
		if err := got.Set(tc.text); (err == nil) != tc.ok || got != tc.want {
			t.Errorf("%q is %+v, error %v; want %+v, to be taken: %v", tc.text, got, err, tc.want, tc.ok)
		}
		var again simulation
		if err := again.Set(got.String()); tc.ok && (err != nil || again != got) {
			t.Errorf("%q is written as %q, which is read as %+v, error %v", tc.text, got.String(), again, err)
		}
	}
}
