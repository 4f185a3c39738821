# A bar of the length of the count before each word.
{
  bar = ""
  for (i = 0; i < $1; i++) bar = bar "#"
  printf "%-14s %2d %s\n", $2, $1, bar > out
}
