using System.Text;

namespace LlmPipeline;

/// <summary>Texts that look like a model's, and depend only on a draw.</summary>
internal static class AnswerText
{
    private static readonly string[] Vocabulary =
    [
        "the", "answer", "follows", "from", "a", "simple", "sum", "of", "both", "parts", "and", "each", "step", "is", "checked", "against", "what", "was",
        "given", "so", "we", "first", "count", "then", "compare", "result", "with", "known", "values", "which", "leaves", "three", "cases", "in", "order",
        "to", "see", "why", "this", "holds", "consider", "that", "every", "part", "has", "its", "own", "share", "while", "rest", "stays", "as", "it", "were",
        "about", "twelve", "per", "day", "for", "whole", "week", "at", "most", "half",
    ];

    /// <summary>
    /// Sentences of <paramref name="meanWords"/> words on average, ending with the prompt's hash in brackets, so that an answer can be matched to its
    /// prompt. With <paramref name="json"/> a JSON object with the same in two fields.
    /// </summary>
    public static string Compose(ulong draw, int meanWords, string promptHash, bool json)
    {
        var draws = new DrawSequence(draw);
        var left = (meanWords / 2) + draws.Next(meanWords + 1);
        left = Math.Max(1, left);
        var text = new StringBuilder(left * 6 + 48);
        if (json)
            text.Append("{\"answer\": \"");
        while (left > 0)
        {
            var sentence = Math.Min(left, 6 + draws.Next(9));
            left -= sentence;
            AppendSentence(text, ref draws, sentence);
        }
        if (json)
            return text.Append("\", \"prompt\": \"").Append(promptHash).Append("\"}").ToString();
        return text.Append(" [").Append(promptHash).Append(']').ToString();
    }

    /// <summary>Some words.</summary>
    public static string Words(ref DrawSequence draws, int count)
    {
        var text = new StringBuilder();
        while (count-- > 0)
            text.Append(text.Length > 0 ? " " : "").Append(Vocabulary[draws.Next(Vocabulary.Length)]);
        return text.ToString();
    }

    private static void AppendSentence(StringBuilder text, ref DrawSequence draws, int words)
    {
        for (var n = 0; n < words; n++)
        {
            var word = Vocabulary[draws.Next(Vocabulary.Length)];
            if (n == 0)
            {
                if (text.Length > 0 && text[^1] == '.')
                    text.Append(' ');
                text.Append(char.ToUpperInvariant(word[0])).Append(word, 1, word.Length - 1);
            }
            else
            {
                text.Append(' ').Append(word);
            }
        }
        text.Append('.');
    }
}
