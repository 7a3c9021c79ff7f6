using System.Text;

namespace LlmPipeline.Bench;

/// <summary>Requests of mixed sizes: most of some hundred tokens, a few of some thousand; a third without max_tokens, a third with a close one, a third with a generous one.</summary>
internal static class Prompts
{
    /// <summary>About what one costs, with its answer.</summary>
    public const int MeanTokens = 480;

    private static readonly string[] Words = ["please", "look", "at", "this", "text", "and", "say", "what", "it", "means", "for", "us", "today", "in", "short", "plain", "words"];

    public static byte[] Body(int number)
    {
        var random = new Random(number);
        // Lognormal: half of them below 220 words, one in fifty above 1,500.
        var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        var words = (int)Math.Clamp(220 * Math.Exp(0.95 * normal), 10, 2500);
        var text = new StringBuilder($"No. {number}:");
        for (var word = 0; word < words; word++)
            text.Append(' ').Append(Words[random.Next(Words.Length)]);
        var limit = (number % 3) switch { 0 => "", 1 => ",\"max_tokens\":160", _ => ",\"max_tokens\":400" };
        return Encoding.UTF8.GetBytes($$"""{"model":"bench","messages":[{"role":"user","content":"{{text}}"}]{{limit}}}""");
    }
}
