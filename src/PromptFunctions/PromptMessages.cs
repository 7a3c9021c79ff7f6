using System.Text.RegularExpressions;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>
/// Splits the text of a template into its messages, before any variable is in it: so a variable can never open or close a message.
/// White space around a message's text is the file's layout and is dropped; everything else, XML entities included, stays as it is.
/// </summary>
internal static partial class PromptMessages
{
    /// <summary>The role and the template of each message, in order.</summary>
    /// <exception cref="PromptFunctionException">A message without a known role, not closed, nested, or text between the messages.</exception>
    public static IReadOnlyList<(AuthorRole Role, string Template)> Split(string file, string text)
    {
        if (!Tag().IsMatch(text))
            return string.IsNullOrWhiteSpace(text)
                ? throw new PromptFunctionException($"{file}: is empty")
                : [(AuthorRole.User, text.Trim())];

        var messages = new List<(AuthorRole, string)>();
        var position = 0;
        (AuthorRole Role, int Start, int Line)? open = null;
        foreach (Match tag in Tag().Matches(text))
        {
            var line = LineOf(text, tag.Index);
            var closes = tag.Value[1] == '/';
            if (open is null && closes)
                throw new PromptFunctionException($"{file}:{line}: </message> without a <message> before it");
            if (open is { } outer && !closes)
                throw new PromptFunctionException($"{file}:{line}: <message> inside the message of line {outer.Line}");

            if (open is { } current)
            {
                messages.Add((current.Role, text[current.Start..tag.Index].Trim()));
                open = null;
            }
            else
            {
                RefuseStrayText(file, text, position, tag.Index);
                open = (RoleOf(file, line, tag.Groups["attributes"].Value), tag.Index + tag.Length, line);
            }
            position = tag.Index + tag.Length;
        }
        if (open is { } last)
            throw new PromptFunctionException($"{file}:{last.Line}: <message> without a </message>");
        RefuseStrayText(file, text, position, text.Length);
        return messages;
    }

    private static void RefuseStrayText(string file, string text, int start, int end)
    {
        var stray = text.AsSpan(start, end - start);
        if (!stray.IsWhiteSpace())
            throw new PromptFunctionException(
                $"{file}:{LineOf(text, end - stray.TrimStart().Length)}: text outside of the <message> blocks would not be sent");
    }

    private static AuthorRole RoleOf(string file, int line, string attributes) =>
        Role().Match(attributes) is { Success: true } match
            ? match.Groups["role"].Value switch
            {
                "system" => AuthorRole.System,
                "developer" => AuthorRole.Developer,
                "user" => AuthorRole.User,
                "assistant" => AuthorRole.Assistant,
                var other => throw new PromptFunctionException($"{file}:{line}: role \"{other}\" is not system, developer, user or assistant"),
            }
            : throw new PromptFunctionException($"{file}:{line}: <message> needs exactly one attribute, role=\"system\", \"developer\", \"user\" or \"assistant\"");

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;

    [GeneratedRegex("""<message(?=[\s>/])(?<attributes>[^>]*)>|</message\s*>""")]
    private static partial Regex Tag();

    [GeneratedRegex("""^\s+role\s*=\s*(["'])(?<role>[^"']*)\1\s*$""")]
    private static partial Regex Role();
}
