// Command bench measures lanyard side by side with other projects and writes
// the outcome as a table.
//
//	bash run.sh
//
// runs all of it and keeps the table in docs/benchmarks.md. Contenders take
// turns in short slices within one run, so that a busy machine slows them alike,
// and what counts is the median of the ratios of neighbouring slices: the ratios
// hold on other machines, the absolute times do not.
//
// The contenders are in package contender, whose tests show that each of them
// works. For a profile of a single one run
//
//	go test -run - -bench . -cpuprofile cpu.out ./contender
package main
