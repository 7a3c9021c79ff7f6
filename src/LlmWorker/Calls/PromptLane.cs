using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>Prompt jobs: Semantic Kernel renders the function and its chat service calls, with the kernel's plugins as tools where the function asks for them.</summary>
internal sealed class PromptLane(Func<string, CancellationToken, ValueTask<PromptFunction>> functions, Kernel kernel)
{
    /// <summary>The messages and settings that the job stands for.</summary>
    /// <exception cref="PromptFunctionException">The function is broken, or the job does not fit it.</exception>
    public async Task<(ChatHistory Messages, PromptExecutionSettings Settings)> RenderAsync(PromptWork work, CancellationToken cancellationToken)
    {
        var function = await functions(work.Sha, cancellationToken);
        var messages = await function.RenderAsync(kernel, work.Variables, cancellationToken);
        if (work.System is { } system)
            messages.Insert(0, new ChatMessageContent(AuthorRole.System, system));
        return (messages, function.SettingsWith(work.Settings));
    }

    /// <summary>Calls; the answer is in the <see cref="CallContext"/>.</summary>
    public async Task SendAsync(Deployment deployment, string model, ChatHistory messages, PromptExecutionSettings settings, CancellationToken cancellationToken) =>
        // A tool loop adds its messages to the history, and another try begins from the start.
        await deployment.Chat(model).GetChatMessageContentsAsync(new ChatHistory(messages), settings, kernel, cancellationToken);
}
