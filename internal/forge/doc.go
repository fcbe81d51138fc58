// Package forge makes the tokens with which verifiers are attacked: the rows
// about token verification of the project's list of attacks. It is for tests.
// What is forged is written byte by byte, without the code under attack.
package forge
