using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary>
/// Completion of the command line in shells. Their scripts (<see cref="CompletionCommand"/>) ask with
/// <c>llmpipe '[suggest:POSITION]' LINE</c>, and complete names of files where the answer is empty.
/// </summary>
internal static partial class Completion
{
    /// <summary>The answer to a shell; null where the arguments are no such question.</summary>
    public static IReadOnlyList<string>? Answer(RootCommand root, IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0 || Question().Match(arguments[0]) is not { Success: true } question)
            return null;
        var line = arguments.Count > 1 ? arguments[1] : "";
        var isKnown = int.TryParse(question.Groups["at"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var position);
        return Suggest(root, isKnown ? line[..Math.Min(position, line.Length)] : line);
    }

    /// <summary>What the last word of a line may become.</summary>
    /// <param name="root">The commands.</param>
    /// <param name="line">The line up to the cursor, with the name of the program.</param>
    public static IReadOnlyList<string> Suggest(RootCommand root, string line)
    {
        // The program may be called by any path.
        var name = line.TrimStart();
        var rest = name.IndexOf(' ', StringComparison.Ordinal) is >= 0 and var end ? name[(end + 1)..] : "";
        var word = rest[(rest.LastIndexOf(' ') + 1)..];
        var isOption = word.StartsWith('-');
        return
        [
            .. root.Parse(rest).GetCompletions(rest.Length).Select(item => item.InsertText ?? item.Label)
                .Where(text => text.StartsWith(word, StringComparison.Ordinal) && text.StartsWith('-') == isOption && text is not "-?")
                .Where(text => !text.StartsWith('/'))
                .Distinct().Order(StringComparer.Ordinal),
        ];
    }

    [GeneratedRegex(@"^\[suggest(:(?<at>\d{1,9}))?\]$")]
    private static partial Regex Question();
}
