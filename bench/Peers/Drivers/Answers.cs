using System.Text;

namespace LlmPipeline.Bench;

/// <summary>What an LLM that is none answers.</summary>
internal static class Answers
{
    public static readonly byte[] Short = Encoding.UTF8.GetBytes("""{"choices":[{"message":{"role":"assistant","content":"ok"}}]}""");
}
