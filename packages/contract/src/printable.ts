// Owns the form in which words that somebody else chose (a file's name, a guest's complaint) reach a terminal: without
// what a terminal takes for a command.

// oxlint-disable-next-line no-control-regex -- they are what it is about
const commands = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text with each control character, other than tab and newline, as `\xHH`. */
export function printable(text: string): string {
  return text.replace(commands, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
